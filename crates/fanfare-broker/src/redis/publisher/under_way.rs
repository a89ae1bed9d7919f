//! A command that was written to Redis and waits for its answer.

use std::time::Duration;

use fanfare_core::Channel;
use tokio::time::Instant;

use super::outgoing::{Outgoing, OutgoingMessage};
use crate::redis::metrics::Kind;

/// How long an item that may have run is written again, from when it was handed over. Far below the time for which
/// Redis remembers what ran.
const REPLAYED_FOR: Duration = Duration::from_secs(60);

/// A message that is written.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) item: Box<Outgoing>,
    /// The sequence of a publication.
    pub(super) sequence: u64,
    /// The sequence with which it was written first: its place among those that are written again.
    pub(super) place: u64,
    /// Whether it was written to a connection that ended before the answer.
    pub(super) may_have_run: bool,
}

impl Attempt {
    pub(super) fn first(item: Box<Outgoing>, sequence: u64) -> Self {
        Self { item, sequence, place: sequence, may_have_run: false }
    }

    /// Whether it was written before.
    pub(super) fn is_repeated(&self) -> bool {
        self.may_have_run || self.sequence != self.place
    }

    /// When it will have waited too long, if one that did not run waits as long as `patience`.
    pub(super) fn deadline(&self, patience: Duration) -> Instant {
        self.item.since + if self.may_have_run { REPLAYED_FOR } else { patience }
    }
}

/// A command that waits for its answer.
#[derive(Debug)]
pub(super) enum Written {
    /// A message.
    Item(Attempt),
    /// The script, which is loaded.
    Script,
    Heartbeat,
    /// The extension of the last heartbeat that Redis took.
    Extension,
    /// The question for the time, and when it was asked.
    Time(Instant),
    Canary(u64),
}

impl Written {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Item(Attempt { item, .. }) => match item.message {
                OutgoingMessage::Publication { .. } if item.needs_script() => Kind::Keep,
                OutgoingMessage::Publication { .. } => Kind::Publish,
                OutgoingMessage::Control { .. } => Kind::Control,
            },
            Self::Script => Kind::Script,
            Self::Heartbeat | Self::Extension => Kind::Heartbeat,
            Self::Time(_) => Kind::Time,
            Self::Canary(_) => Kind::Canary,
        }
    }
}

/// The commands of a round that are to be written.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) heartbeat: bool,
    /// Redis has no memory for the heartbeat.
    pub(super) extension: bool,
    pub(super) time: bool,
    pub(super) canary: Option<u64>,
}

impl Due {
    pub(super) fn is_empty(&self) -> bool {
        !self.heartbeat && !self.extension && !self.time && self.canary.is_none()
    }
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
