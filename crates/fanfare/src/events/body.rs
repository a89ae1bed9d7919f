//! A batch of events as JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_core::outbox::{Event, OutboxEvent};
use serde::Serialize;

#[derive(Serialize)]
struct Batch<'a> {
    /// When it was sent, in milliseconds since 1970.
    time_ms: u64,
    events: Vec<Line<'a>>,
}

#[derive(Serialize, Default)]
struct Line<'a> {
    id: &'a str,
    event: &'static str,
    time_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// The body of a batch that is sent now.
pub(super) fn batch(events: &[OutboxEvent]) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let batch = Batch { time_ms, events: events.iter().map(line).collect() };
    serde_json::to_string(&batch).unwrap_or_default()
}

fn line(OutboxEvent { id, time_ms, event }: &OutboxEvent) -> Line<'_> {
    let line = Line { id: &id.0, event: name(event), time_ms: *time_ms, ..Line::default() };
    match event {
        Event::Occupied(channel) | Event::Vacated(channel) => {
            Line { channel: Some(channel.as_str()), ..line }
        }
        Event::Joined(channel, member) | Event::Left(channel, member) => Line {
            channel: Some(channel.as_str()),
            client: Some(member.client.to_string()),
            user: Some(&member.user),
            ..line
        },
        Event::Disconnected(end) => Line {
            client: Some(end.client.to_string()),
            user: Some(&end.user),
            code: end.code,
            reason: Some(&end.reason),
            ..line
        },
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Occupied(_) => "channel_occupied",
        Event::Vacated(_) => "channel_vacated",
        Event::Joined(..) => "member_joined",
        Event::Left(..) => "member_left",
        Event::Disconnected(_) => "disconnected",
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::{
        Channel,
        outbox::{ConnectionEnd, EventId, Member},
    };
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn events_are_as_documented() {
        let (channel, client) = (Channel::new("a").unwrap(), "0000000000000007-1");
        let member = Member { client: client.parse().unwrap(), user: "ann".into() };
        let end = |code| ConnectionEnd {
            client: member.client,
            user: String::new(),
            code,
            reason: "shutdown".into(),
        };
        let events = [
            Event::Occupied(channel.clone()),
            Event::Joined(channel.clone(), member.clone()),
            Event::Left(channel.clone(), member.clone()),
            Event::Vacated(channel),
            Event::Disconnected(end(Some(3001))),
            Event::Disconnected(end(None)),
        ];
        let event = |event| OutboxEvent { id: EventId("17-1".into()), time_ms: 17, event };
        let batch: Value = serde_json::from_str(&batch(&events.map(event))).unwrap();
        assert!(batch["time_ms"].is_u64());
        let of = |mut line: Value, event: &str| {
            line["id"] = "17-1".into();
            line["time_ms"] = 17.into();
            line["event"] = event.into();
            line
        };
        let member = json!({"channel": "a", "client": client, "user": "ann"});
        let expected = json!([
            of(json!({"channel": "a"}), "channel_occupied"),
            of(member.clone(), "member_joined"),
            of(member, "member_left"),
            of(json!({"channel": "a"}), "channel_vacated"),
            of(json!({"client": client, "user": "", "code": 3001, "reason": "shutdown"}), "disconnected"),
            of(json!({"client": client, "user": "", "reason": "shutdown"}), "disconnected"),
        ]);
        assert_eq!(batch["events"], expected);
    }
}
