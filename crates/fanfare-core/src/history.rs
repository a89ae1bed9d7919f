//! The seam to the histories of channels.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::{Channel, Position, Publication};

/// How long the publications of a channel are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The most publications of a channel, at least one. A broker may keep a few more for a while.
    pub size: u32,
    /// How long they are kept after the channel's last publication, at least a second.
    pub ttl: Duration,
}

/// Reads the histories of channels. They are written by [`Broker::publish`](crate::Broker::publish), with a
/// [`Retention`].
///
/// # Guarantees
/// - **Same order**: the offsets of a channel are in the order in which its subscribers get the publications. A
///   publication is in the history before the first subscriber gets it.
/// - **Consecutive**: an answer has consecutive offsets in ascending order, of one epoch, and is a state that the
///   history had at one moment.
/// - **Offsets go on** after a history expired or was removed, under the same epoch, for at least [`META_TTL`] after
///   the channel's last publish or read. Under a new epoch they begin with 1 again: then publications may have been
///   lost.
/// - **A server that was replaced is told**: where another run of the broker goes on with a history, as after a failover,
///   its first publish gives the channel a new epoch, and the offsets go on ([`Page::continues`]).
/// - **An epoch from the beginning**: a channel in which nothing was published has an epoch too, and its first
///   publication has the same.
/// - No method blocks. Dropping a future gives up the answer.
pub trait History: Send + Sync + 'static {
    /// The newest position of a channel, and those publications of a range that are kept: all of them, so the caller
    /// bounds the range.
    fn read(&self, channel: &Channel, range: Range) -> HistoryFuture<Page>;

    /// The newest position of each of these channels, in the same order. The offset is 0 where nothing was published.
    fn tops(&self, channels: &[Channel]) -> HistoryFuture<Vec<Position>>;

    /// Removes what is kept of a channel. Its offsets go on.
    fn remove(&self, channel: &Channel) -> HistoryFuture<()>;
}

/// How long a broker remembers epoch and offset of a channel without publications.
pub const META_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A part of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The oldest publications behind an offset.
    After {
        /// The offset before the first.
        offset: u64,
        /// The most publications of the answer.
        limit: usize,
    },
    /// The newest publications before an offset.
    Before {
        /// The offset behind the last; `None` for the newest of all.
        offset: Option<u64>,
        /// The most publications of the answer.
        limit: usize,
    },
}

/// A part of a history, as it was read.
#[derive(Debug, Clone)]
pub struct Page {
    /// The newest position of the channel at that moment. The offset is 0 where nothing was published.
    pub top: Position,
    /// The publications in ascending order, each with its position and without a trace.
    pub publications: Vec<Arc<Publication>>,
    /// The last positions of the epochs before from which this epoch goes on, the newest first, as far back as the broker
    /// knows them. A publication up to such an offset is the same under both epochs. One behind it that somebody got under
    /// the epoch before was lost by the broker.
    pub continues: Vec<Position>,
}

impl Page {
    /// Whether a position of another epoch is one of this history too.
    #[must_use]
    pub fn knows(&self, position: Position) -> bool {
        self.continues.iter().any(|last| last.epoch == position.epoch && position.offset <= last.offset)
    }
}

/// The future that the methods of [`History`] return.
pub type HistoryFuture<T> = Pin<Box<dyn Future<Output = Result<T, HistoryError>> + Send>>;

/// The history cannot be read at this moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the history cannot be read: {0}")]
pub struct HistoryError(pub String);

/// The history of a broker without histories: it answers with an error.
#[derive(Debug, Clone, Copy)]
pub struct NoHistory;

impl NoHistory {
    fn error<T: Send + 'static>() -> HistoryFuture<T> {
        Box::pin(std::future::ready(Err(HistoryError("this broker keeps none".to_owned()))))
    }
}

impl History for NoHistory {
    fn read(&self, _: &Channel, _: Range) -> HistoryFuture<Page> {
        Self::error()
    }

    fn tops(&self, _: &[Channel]) -> HistoryFuture<Vec<Position>> {
        Self::error()
    }

    fn remove(&self, _: &Channel) -> HistoryFuture<()> {
        Self::error()
    }
}
