//! What was written to Redis and waits for its answer, and what that was about.

use fanfare_core::Channel;
use tokio::time::Instant;

use super::outgoing::{Outgoing, What};
use crate::redis::metrics::Kind;

/// What an answer is waited for.
#[derive(Debug)]
pub(super) enum Written {
    /// And the sequence it was written with, where it is a publication.
    Item(Outgoing, u64),
    Heartbeat,
    /// Since when.
    Time(Instant),
    Canary(u64),
}

impl Written {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Item(Outgoing { what: What::Publication { .. }, .. }, _) => Kind::Publish,
            Self::Item(Outgoing { what: What::Control { .. }, .. }, _) => Kind::Control,
            Self::Heartbeat => Kind::Heartbeat,
            Self::Time(_) => Kind::Time,
            Self::Canary(_) => Kind::Canary,
        }
    }
}

/// What of a round is to be written.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) heartbeat: bool,
    pub(super) time: bool,
    pub(super) canary: Option<u64>,
}

/// What an answer of Redis was about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// An item, which knows.
    Item,
    /// A publication, handed over at that time, which reached nobody.
    Unheard(Channel, Instant),
    /// The heartbeat; the code word of the error, if it was one.
    Heartbeat(Option<String>),
    /// What time it is, in microseconds since 1970, asked then; or what was answered instead.
    Time(Instant, Result<u64, String>),
    /// A round of the canary: how many it reached, or the code word of an error.
    Canary(u64, Result<i64, String>),
}
