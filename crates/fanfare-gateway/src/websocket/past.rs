//! The past that a client asks for in its address: `?last=20`, or `?since=EPOCH:OFFSET`.
//!
//! Invariant: the past is judged before the broker is asked for anything.

use std::sync::Arc;

use fanfare_core::{Channel, CommandError, Identity, Namespace, Position};
use fanfare_hub::{Hub, Recovering, Session};
use http::{HeaderName, HeaderValue};

use crate::{
    http::{
        past_error::{MOST, PastError},
        query::parameters,
        refusal::Refusal,
    },
    rights::may_read_history,
};

/// The header of a 101 whose client asked for the past.
const RECOVERED: HeaderName = HeaderName::from_static("fanfare-recovered");

/// The past that a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Past {
    /// The newest publications, at most this number.
    Last(usize),
    /// Everything behind this position.
    Since(Position),
}

impl Past {
    /// The past in a query, if any. Other parameters are ignored.
    pub(super) fn of(query: Option<&str>) -> Result<Option<Self>, PastError> {
        let mut found = None;
        for (name, value) in parameters(query) {
            let past = match &*name {
                "last" => Self::Last(number(&value)?),
                "since" => Self::Since(value.parse()?),
                _ => continue,
            };
            if found.replace(past).is_some() {
                return Err(PastError::Several);
            }
        }
        Ok(found)
    }

    /// The same for the hub.
    pub(crate) fn of_hub(self) -> fanfare_hub::Past {
        match self {
            Self::Last(most) => fanfare_hub::Past::Last(most),
            Self::Since(position) => fanfare_hub::Past::Since(position),
        }
    }

    /// Checks that the channel has a past, and that the client may see it.
    pub(crate) fn judge(
        self,
        namespace: &Namespace,
        identity: Option<&Arc<dyn Identity>>,
        channel: &Channel,
    ) -> Result<(), Refusal> {
        may_read_history(namespace, identity, channel)?;
        let name = match self {
            Self::Last(_) => "last",
            Self::Since(_) => "since",
        };
        namespace.retention.map(drop).ok_or(PastError::NoHistory(name).into())
    }
}

/// The number of the newest publications that a client asks for.
///
/// # Errors
/// It is not such a number.
pub(crate) fn number(value: &str) -> Result<usize, PastError> {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| value.parse().ok()).flatten();
    number.filter(|number| (1..=MOST).contains(number)).ok_or(PastError::Last)
}

/// A session that joined its channel.
pub(super) struct Joined {
    /// The hub's name of the channel, which all its subscribers share.
    pub(super) channel: Channel,
    /// The past, which is sent once the session has its transport; `None` where it was not asked for.
    pub(super) past: Option<Recovering>,
}

impl Joined {
    /// The header of the 101 that tells the client whether it gets the past that it asked for.
    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let told = |is_whole| HeaderValue::from_static(if is_whole { "true" } else { "false" });
        self.past.as_ref().map(|past| (RECOVERED, told(past.is_whole)))
    }
}

/// Subscribes a session to a channel. Where the past is asked for, publications are held until it was sent.
///
/// # Errors
/// The session is not subscribed, and why.
pub(super) async fn join(
    hub: &Hub,
    session: &Arc<Session>,
    channel: &Channel,
    past: Option<Past>,
) -> Result<Joined, CommandError> {
    let Some(past) = past else {
        let subscribed = hub.subscriptions.subscribe(session, channel).await?;
        return Ok(Joined { channel: subscribed.channel, past: None });
    };
    let recovering = hub.subscriptions.recover_held(session, channel, past.of_hub()).await?;
    Ok(Joined { channel: recovering.subscribed.channel.clone(), past: Some(recovering) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fanfare_core::{Access, Epoch, Retention, position::PositionError};

    use super::*;

    #[test]
    fn the_past_is_in_the_query() {
        let of = |query| Past::of(Some(query));
        assert_eq!(Past::of(None), Ok(None));
        assert_eq!(of("token=x&first=1"), Ok(None));
        assert_eq!(of("token=x&last=20"), Ok(Some(Past::Last(20))));
        let position = Position { epoch: Epoch(0xab), offset: 7 };
        assert_eq!(of("since=00000000000000ab:7"), Ok(Some(Past::Since(position))));
        assert_eq!(of("since=00000000000000ab%3A7"), Ok(Some(Past::Since(position))));
        for wrong in ["last=", "last=0", "last=10001", "last=-1", "last=%2B1", "last=x", "last"] {
            assert_eq!(of(wrong), Err(PastError::Last), "{wrong}");
        }
        for wrong in ["since=", "since=7", "since=ab:7", "since=00000000000000ab:-7"] {
            assert_eq!(of(wrong), Err(PastError::Since(PositionError)), "{wrong}");
        }
        for wrong in ["last=1&last=1", "last=1&since=00000000000000ab:7"] {
            assert_eq!(of(wrong), Err(PastError::Several), "{wrong}");
        }
    }

    #[test]
    fn the_past_needs_right_and_history() {
        let judged = |namespace: Namespace| {
            let judged = Past::Last(1).judge(&namespace, None, &Channel::new("a").unwrap());
            judged.map_err(|refused| refused.to_string())
        };
        let retention = Some(Retention { size: 1, ttl: Duration::from_secs(1) });
        assert_eq!(judged(Namespace { retention, ..Namespace::default() }), Ok(()));
        assert!(judged(Namespace::default()).unwrap_err().contains("history_size"));
        let secret = Namespace { retention, history: Access::Token, ..Namespace::default() };
        assert!(judged(secret).unwrap_err().contains("needs a token"));
    }
}
