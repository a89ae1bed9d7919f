//! The task that opens, checks and heals tails, and keeps their bound.
//!
//! Invariants
//! - A tail that needs a read is read until it is healed, for as long as that takes.
//! - Questions about many channels are one request.
//! - The task never ends: a tail that healed without it would hold back its channel for ever.

use std::{pin::Pin, sync::Arc, time::Duration};

use fanfare_core::{Broker, Partition, Position};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::{
    sync::Semaphore,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{
    reader::{Patience, Reader},
    shared::SharedTail,
    table::{Tails, Work},
};
use crate::delivery::dispatcher::Dispatcher;

/// The most channels of one request for positions.
const BATCH: usize = 512;
/// The most reads at the same time.
const READS: usize = 32;
/// A channel is compared with its history after this number of seconds without news.
const QUIET: u32 = 30;
/// The seconds between two looks for such channels, and for expired publications.
const ROUND: u32 = 5;
/// The most channels that are compared in one round.
const MOST_CHECKED: usize = 8 * BATCH;
/// A publication may be on its way when a position is read. A quiet channel is late only after this time.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

type Job<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// See the head of this file.
pub(crate) struct Healer {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) reader: Arc<Reader>,
    reads: Semaphore,
}

impl Healer {
    pub(crate) fn new(dispatcher: Arc<Dispatcher>, broker: Arc<dyn Broker>, reader: Arc<Reader>) -> Self {
        Self { dispatcher, broker, reader, reads: Semaphore::new(READS) }
    }

    fn tails(&self) -> &Tails {
        self.dispatcher.tails()
    }

    /// Works for as long as the node lives.
    pub(crate) async fn run(self) {
        let mut jobs = FuturesUnordered::new();
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let start = Instant::now();
        let mut next_round = ROUND;
        loop {
            tokio::select! {
                work = self.tails().work() => self.begin(work, &mut jobs),
                Some(()) = jobs.next() => {}
                now = seconds.tick() => {
                    let now = u32::try_from((now - start).as_secs()).unwrap_or(u32::MAX);
                    self.tails().pass_to(now);
                    if now >= next_round {
                        next_round = now + ROUND;
                        self.expire_and_check(now, &mut jobs);
                    }
                }
            }
        }
    }

    fn begin<'a>(&'a self, work: Work, jobs: &mut FuturesUnordered<Job<'a>>) {
        for batch in self.batches(work.open) {
            jobs.push(Box::pin(self.open(batch)));
        }
        for batch in self.batches(work.check) {
            jobs.push(Box::pin(self.check(batch)));
        }
        for tail in work.heal {
            jobs.push(Box::pin(self.heal(tail)));
        }
        for partition in work.restored {
            for batch in self.batches(self.of_partition(partition)) {
                jobs.push(Box::pin(self.check(batch)));
            }
        }
        if work.evict {
            self.evict();
        }
    }

    /// Asks for the tops of tails that are not open, until they are.
    async fn open(&self, tails: Vec<Arc<SharedTail>>) {
        self.with_tops(tails, |tail, position| {
            self.dispatcher.change_tail(tail, |state, effects| state.tail.open(position, effects));
        })
        .await;
    }

    /// Compares tails with their histories. Those behind are healed.
    async fn check(&self, tails: Vec<Arc<SharedTail>>) {
        self.with_tops(tails, |tail, position| self.checked(tail, position)).await;
    }

    fn checked(&self, tail: &Arc<SharedTail>, position: Position) {
        self.dispatcher.change_tail(tail, |state, effects| {
            state.heard = self.tails().now();
            state.checks += 1;
            state.tail.checked(position, effects);
        });
        tail.has_changed();
    }

    async fn with_tops(&self, mut tails: Vec<Arc<SharedTail>>, each: impl Fn(&Arc<SharedTail>, Position)) {
        let mut patience = Patience::default();
        loop {
            tails.retain(|tail| !tail.lock().tail.is_closed());
            let Some(first) = tails.first() else { return };
            match self.reader.tops(&tails).await {
                Ok(positions) => {
                    let answers = tails.iter().zip(positions);
                    return self.dispatcher.gather(|| answers.for_each(|(tail, at)| each(tail, at)));
                }
                Err(error) => patience.wait(&first.channel, &error).await,
            }
        }
    }

    /// The tails of a partition whose interruption is over. Those that are being opened are read once they are: their
    /// answer may be older than what was missed.
    fn of_partition(&self, partition: Partition) -> Vec<Arc<SharedTail>> {
        let mut tails = self.tails().all();
        tails.retain(|tail| self.broker.partition_of(&tail.channel) == partition);
        tails.retain(|tail| {
            self.dispatcher.change_tail(tail, |state, effects| {
                let is_open = state.tail.position().is_some();
                if !is_open {
                    state.tail.suspect(effects);
                }
                is_open
            })
        });
        tails
    }

    /// Reads the history of a tail until it is healed.
    async fn heal(&self, tail: Arc<SharedTail>) {
        let mut patience = Patience::default();
        loop {
            let Ok(turn) = self.reads.acquire().await else { return };
            while self.dispatcher.is_full() {
                sleep(Duration::from_millis(5)).await;
            }
            let Some(after) = tail.lock().tail.next_read() else { return };
            match self.reader.after(&tail.channel, after).await {
                Ok(page) => {
                    patience = Patience::default();
                    self.dispatcher.gather(|| {
                        self.dispatcher.change_tail(&tail, |state, effects| {
                            state.checks += 1;
                            state.tail.read(page, effects);
                        });
                    });
                }
                Err(error) => {
                    tail.lock().tail.read_failed();
                    drop(turn);
                    patience.wait(&tail.channel, &error).await;
                }
            }
        }
    }

    /// Frees what was kept for long enough, and begins to compare the quiet channels with their histories.
    fn expire_and_check<'a>(&'a self, now: u32, jobs: &mut FuturesUnordered<Job<'a>>) {
        let mut quiet = Vec::new();
        for tail in self.tails().all() {
            self.dispatcher.change_tail(&tail, |state, _| {
                state.expire(now);
                if state.tail.is_live() && now - state.heard.min(now) >= QUIET && quiet.len() < MOST_CHECKED {
                    state.heard = now;
                    quiet.push(tail.clone());
                }
            });
        }
        for batch in self.batches(quiet) {
            jobs.push(Box::pin(self.check_quiet(batch)));
        }
    }

    /// Compares quiet tails with their histories, once. A failure is not repeated: the next round comes.
    async fn check_quiet(&self, tails: Vec<Arc<SharedTail>>) {
        let Ok(positions) = self.reader.tops(&tails).await else { return };
        let mut late: Vec<_> = tails.into_iter().zip(positions).collect();
        let is_late = |(tail, position): &(Arc<SharedTail>, Position)| {
            let has = tail.position();
            has.is_some_and(|has| has.epoch != position.epoch || has.offset < position.offset)
        };
        late.retain(is_late);
        if !late.is_empty() {
            sleep(ON_ITS_WAY).await;
            late.retain(is_late);
            late.iter().for_each(|(tail, position)| self.checked(tail, *position));
        }
    }

    /// Tails of one partition each: a partition that does not answer holds up no other.
    fn batches(&self, mut tails: Vec<Arc<SharedTail>>) -> Vec<Vec<Arc<SharedTail>>> {
        let partition = |tail: &Arc<SharedTail>| self.broker.partition_of(&tail.channel);
        if self.broker.partitions() > 1 {
            tails.sort_by_cached_key(partition);
        }
        let of_partitions = tails.chunk_by(|one, other| partition(one) == partition(other));
        of_partitions.flat_map(|tails| tails.chunks(BATCH)).map(<[_]>::to_vec).collect()
    }

    /// Makes the least used tails forget their publications, until an eighth of the bound is free.
    fn evict(&self) {
        let bound = self.tails().bound();
        if self.tails().bytes() <= bound {
            return;
        }
        let mut tails = self.tails().all();
        tails.sort_by_cached_key(|tail| tail.lock().used);
        for tail in tails {
            if self.tails().bytes() <= bound - bound / 8 {
                return;
            }
            self.dispatcher.change_tail(&tail, |state, _| state.forget());
        }
    }
}
