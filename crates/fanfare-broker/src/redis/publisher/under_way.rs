//! A command that was written to Redis and waits for its answer.

use fanfare_core::Channel;
use tokio::time::Instant;

use super::outgoing::{Outgoing, OutgoingMessage};
use crate::redis::metrics::Kind;

/// A command that waits for its answer.
#[derive(Debug)]
pub(super) enum Written {
    /// A message, and the sequence of a publication.
    Item(Outgoing, u64),
    Heartbeat,
    /// The question for the time, and when it was asked.
    Time(Instant),
    Canary(u64),
}

impl Written {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Item(Outgoing { message: OutgoingMessage::Publication { .. }, .. }, _) => Kind::Publish,
            Self::Item(Outgoing { message: OutgoingMessage::Control { .. }, .. }, _) => Kind::Control,
            Self::Heartbeat => Kind::Heartbeat,
            Self::Time(_) => Kind::Time,
            Self::Canary(_) => Kind::Canary,
        }
    }
}

/// The commands of a round that are to be written.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) heartbeat: bool,
    pub(super) time: bool,
    pub(super) canary: Option<u64>,
}

/// An answer of Redis.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// An item. Its publisher was told.
    Item,
    /// A publication that was handed over at that time reached no subscriber.
    Unheard(Channel, Instant),
    /// The heartbeat. The code word of an error.
    Heartbeat(Option<String>),
    /// The time that was asked at that moment, in microseconds since 1970, or the code word of an error.
    Time(Instant, Result<u64, String>),
    /// A round of the canary. The number of subscribers that it reached, or the code word of an error.
    Canary(u64, Result<i64, String>),
}
