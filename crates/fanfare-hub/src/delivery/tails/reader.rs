//! Reads histories for tails. A read that fails is tried again for as long as somebody waits for it.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Duration,
};

use fanfare_core::{
    Channel, History, Position, Publication,
    history::{HistoryError, HistoryFuture, Page, Range},
};
use futures_util::FutureExt;
use rand::Rng;

use super::{
    kept::offset,
    past::Missing,
    past_read::{Older, PastRead},
    shared::{SharedTail, State},
};
use crate::{
    delivery::dispatcher::Dispatcher,
    metrics::{HubMetrics, Purpose},
};

/// The most publications of one read.
const PAGE: usize = 1000;

/// How far a read of the past goes back for others, who may come next.
const WORTH_READING: usize = 1000;

/// Reads histories.
pub(crate) struct Reader {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) metrics: Arc<HubMetrics>,
}

impl Reader {
    /// The publications behind an offset, at most as many as one read brings.
    pub(crate) fn after(&self, channel: &Channel, after: u64) -> HistoryFuture<Page> {
        self.metrics.history.read(Purpose::Heal);
        self.history.read(channel, Range::After { offset: after, limit: PAGE })
    }

    /// The newest positions of the channels of these tails.
    pub(crate) fn tops(&self, tails: &[Arc<SharedTail>]) -> HistoryFuture<Vec<Position>> {
        self.metrics.history.read(Purpose::Position);
        let channels: Vec<_> = tails.iter().map(|tail| tail.channel.clone()).collect();
        self.history.tops(&channels)
    }

    /// The read that brings `missing`: the one that is under way, or a new one. The caller holds the tail's lock.
    pub(crate) fn past(
        self: &Arc<Self>,
        tail: &Arc<SharedTail>,
        state: &mut State,
        missing: Missing,
    ) -> PastRead {
        if let Some(read) = state.read.as_ref().filter(|read| read.covers(missing)) {
            return read.clone();
        }
        let of = state.tail.worth_reading(missing, WORTH_READING);
        let (reader, tail, channel) = (self.clone(), Arc::downgrade(tail), tail.channel.clone());
        let older = async move { Arc::new(reader.read_past(&tail, &channel, of).await) };
        let read = PastRead { of, older: older.boxed().shared() };
        state.read = Some(read.clone());
        read
    }

    /// Reads backwards. The tail keeps what it has room for.
    async fn read_past(&self, tail: &Weak<SharedTail>, channel: &Channel, of: Missing) -> Older {
        let mut found = VecDeque::new();
        let (mut before, mut patience) = (of.before, Patience::default());
        let mut floor = None;
        while before > of.after + 1 {
            let limit = usize::try_from(before - 1 - of.after).unwrap_or(PAGE).min(PAGE);
            self.metrics.history.read(Purpose::Recover);
            match self.history.read(channel, Range::Before { offset: Some(before), limit }).await {
                Err(error) => patience.wait(channel, &error).await,
                Ok(page) if page.top.epoch != of.epoch && !page.knows(end_of(of)) => {
                    // Nothing of this epoch is left.
                    return Older { publications: Vec::new(), after: u64::MAX };
                }
                Ok(page) => {
                    let next = take_older(&mut found, &page.publications, before);
                    if next == before {
                        floor = Some(before - 1);
                        break;
                    }
                    before = next;
                }
            }
        }
        let older = Older { publications: found.into(), after: before - 1 };
        if let Some(tail) = tail.upgrade() {
            self.dispatcher
                .change_tail(&tail, |state, _| state.tail.extend_back(&older.publications, of, floor));
        }
        older
    }
}

/// The last of the missing publications.
fn end_of(missing: Missing) -> Position {
    Position { epoch: missing.epoch, offset: missing.before.saturating_sub(1) }
}

/// Puts those of a page that lie right before the offset `before` in front. The offset of the first.
fn take_older(found: &mut VecDeque<Arc<Publication>>, page: &[Arc<Publication>], before: u64) -> u64 {
    let mut before = before;
    for publication in page.iter().rev() {
        if offset(publication) + 1 == before {
            before = offset(publication);
            found.push_front(publication.clone());
        }
    }
    before
}

/// The time between attempts: it doubles up to a bound, with jitter.
#[derive(Default)]
pub(crate) struct Patience(u32);

impl Patience {
    const SHORTEST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(5);

    /// Waits until the next attempt.
    pub(crate) async fn wait(&mut self, channel: &Channel, error: &HistoryError) {
        if self.0 == 0 {
            tracing::warn!(%channel, "{error}: it is tried again until it can");
        }
        let longest = Self::SHORTEST.saturating_mul(1 << self.0.min(16)).min(Self::LONGEST);
        self.0 += 1;
        let wait = rand::rng().random_range(longest / 2..=longest);
        tokio::time::sleep(wait).await;
    }
}
