//! The history of a node that is alone: a lock around [`Kept`].

use std::time::Duration;

use fanfare_core::{
    Channel, History, Position, Publication, Retention,
    history::{HistoryFuture, Page, Range},
};
use parking_lot::Mutex;
use prometheus::IntCounter;
use tokio::time::Instant;

use super::kept::Kept;

/// How often expired publications are dropped. No reader gets them in between.
pub(super) const SWEEP: Duration = Duration::from_secs(1);

/// See the head of this file.
pub(super) struct MemoryHistory(Mutex<Kept>);

impl MemoryHistory {
    pub(super) fn new(bound: usize, cuts: IntCounter) -> Self {
        Self(Mutex::new(Kept::new(bound, cuts)))
    }

    /// Keeps one more publication of its channel. Its position.
    pub(super) fn append(&self, publication: Publication, retention: Retention) -> Position {
        self.0.lock().append(publication, retention, Instant::now())
    }

    /// Drops what has expired.
    pub(super) fn sweep(&self) {
        self.0.lock().sweep(Instant::now());
    }
}

impl History for MemoryHistory {
    fn read(&self, channel: &Channel, range: Range) -> HistoryFuture<Page> {
        let page = self.0.lock().read(channel, range, Instant::now());
        Box::pin(std::future::ready(Ok(page)))
    }

    fn tops(&self, channels: &[Channel]) -> HistoryFuture<Vec<Position>> {
        let (mut kept, now) = (self.0.lock(), Instant::now());
        let tops = channels.iter().map(|channel| kept.top(channel, now)).collect();
        Box::pin(std::future::ready(Ok(tops)))
    }

    fn remove(&self, channel: &Channel) -> HistoryFuture<()> {
        self.0.lock().remove(channel);
        Box::pin(std::future::ready(Ok(())))
    }
}
