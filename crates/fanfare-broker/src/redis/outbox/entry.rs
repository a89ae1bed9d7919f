//! An event as an entry of the stream: `e` is its name, `c` the channel, `m` the client, `u` its user, `d` the close code
//! and `r` the reason.

use std::collections::HashMap;

use fanfare_core::{
    Channel,
    outbox::{ConnectionEnd, Event, EventId, Member, OutboxEvent},
};

/// The entry of a stream as Redis answers it.
pub(super) type Entry = (String, Vec<(String, String)>);

/// The name of the end of a connection.
pub(super) const DISCONNECTED: &str = "disconnected";

/// The event of an entry; `None` where this release does not know it.
pub(super) fn decode((id, fields): &Entry) -> Option<OutboxEvent> {
    let fields: HashMap<_, _> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let text = |name| fields.get(name).copied().unwrap_or_default();
    let channel = || Channel::new(text("c")).ok();
    let client = || text("m").parse().ok();
    let member = || Some(Member { client: client()?, user: text("u").to_owned() });
    let event = match text("e") {
        "occupied" => Event::Occupied(channel()?),
        "vacated" => Event::Vacated(channel()?),
        "joined" => Event::Joined(channel()?, member()?),
        "left" => Event::Left(channel()?, member()?),
        DISCONNECTED => {
            let (user, reason) = (text("u").to_owned(), text("r").to_owned());
            Event::Disconnected(ConnectionEnd {
                client: client()?,
                user,
                code: text("d").parse().ok(),
                reason,
            })
        }
        _ => return None,
    };
    let time_ms = id.split('-').next()?.parse().ok()?;
    Some(OutboxEvent { id: EventId(id.clone()), time_ms, event })
}

/// The id behind all ids up to this one.
pub(super) fn behind(EventId(id): &EventId) -> Option<String> {
    let (time, number) = id.split_once('-')?;
    let number: u64 = number.parse().ok()?;
    Some(format!("{time}-{}", number.checked_add(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: &[(&str, &str)]) -> Entry {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ("17-3".to_owned(), fields.collect())
    }

    #[test]
    fn an_entry_is_an_event_or_unknown() {
        let left = [("e", "left"), ("c", "a"), ("m", "0000000000000007-9"), ("u", "ann")];
        let event = decode(&entry(&left)).unwrap();
        assert_eq!(event.time_ms, 17);
        let member = Member { client: "0000000000000007-9".parse().unwrap(), user: "ann".into() };
        assert_eq!(event.event, Event::Left(Channel::new("a").unwrap(), member));
        let end = [("e", DISCONNECTED), ("m", "0000000000000007-9"), ("d", ""), ("r", "lost")];
        let Event::Disconnected(end) = decode(&entry(&end)).unwrap().event else { panic!("another event") };
        assert_eq!((end.code, end.reason.as_str(), end.user.as_str()), (None, "lost", ""));
        assert_eq!(decode(&entry(&[("e", "grown"), ("c", "a")])), None);
        assert_eq!(decode(&entry(&[("e", "left"), ("c", "a")])), None);
        assert_eq!(behind(&EventId("17-3".into())).as_deref(), Some("17-4"));
    }
}
