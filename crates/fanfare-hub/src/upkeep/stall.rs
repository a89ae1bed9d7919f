//! Whether the shards go on: each of a shard's two tasks leaves a beat, and a watch counts how long one has not.
//!
//! Invariants
//! - A beat is one relaxed add by the only task that writes it: once a tick and every few hundred sends, once a turn of
//!   the wheel. The wheel wakes an idle tick once a second, so that it beats too.
//! - The watch counts its own turns, not time: while the node is frozen or starved they both stand still, and a node that
//!   wakes is not judged for what it missed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::{delivery::dispatcher::Dispatcher, hub::Hub};

/// How long a shard may stand still before the node counts as dead.
pub const STALLED_AFTER: Duration = Duration::from_secs(30);

/// The time between two looks of the watch.
const TURN: Duration = Duration::from_secs(1);

/// The beats of one shard: each is a number that rises for as long as its task goes on.
#[derive(Debug, Default)]
pub(crate) struct ShardProgress {
    tick: AtomicU32,
    wheel: AtomicU32,
}

impl ShardProgress {
    pub(crate) fn tick(&self) {
        self.tick.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn wheel(&self) {
        self.wheel.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> [u32; 2] {
        [&self.tick, &self.wheel].map(|beat| beat.load(Ordering::Relaxed))
    }
}

/// What the watch found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// How many shards have stood still for [`STALLED_AFTER`] or longer.
    pub shards: usize,
    /// How long the one that has for longest has by now, to the second.
    pub longest: Duration,
    /// Since when `shards` is 0, or is not.
    pub since: SystemTime,
}

impl Default for Stall {
    fn default() -> Self {
        Self { shards: 0, longest: Duration::ZERO, since: SystemTime::now() }
    }
}

/// The last word of the watch.
#[derive(Debug, Default)]
pub(crate) struct Report(Mutex<Stall>);

impl Report {
    pub(crate) fn get(&self) -> Stall {
        *self.0.lock()
    }

    fn set(&self, shards: usize, longest: Duration) {
        let mut report = self.0.lock();
        if (report.shards == 0) != (shards == 0) {
            report.since = SystemTime::now();
        }
        (report.shards, report.longest) = (shards, longest);
    }
}

/// One beat as last seen, and at how many looks since it was the same.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    beat: u32,
    looks: u32,
}

impl Seen {
    fn look(&mut self, beat: u32) -> u32 {
        self.looks = if self.beat == beat { self.looks.saturating_add(1) } else { 0 };
        self.beat = beat;
        self.looks
    }
}

/// Looks at every shard once a second for as long as the node lives.
pub(crate) async fn watch(hub: Arc<Hub>) {
    let mut second = interval(TURN);
    // A turn that comes late is one turn, not many.
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = vec![<[Seen; 2]>::default(); hub.dispatcher().shards().len()];
    loop {
        second.tick().await;
        look(hub.dispatcher(), &mut seen, hub.report());
    }
}

fn look(dispatcher: &Dispatcher, seen: &mut [[Seen; 2]], report: &Report) {
    let (mut still, mut longest) = (0, Duration::ZERO);
    for (shard, seen) in dispatcher.shards().iter().zip(seen) {
        let beats = seen.iter_mut().zip(shard.progress.read());
        let looks = beats.map(|(seen, beat)| seen.look(beat)).max().unwrap_or(0);
        let stood = TURN * looks;
        still += usize::from(stood >= STALLED_AFTER);
        longest = longest.max(stood);
    }
    report.set(still, longest);
}

#[cfg(test)]
mod tests {
    use fanfare_core::{Incarnation, Limits};

    use super::*;
    use crate::metrics::HubMetrics;

    fn dispatcher(shards: usize) -> Dispatcher {
        let metrics = Arc::new(HubMetrics::register(&prometheus::Registry::new()).unwrap());
        Dispatcher::new(Incarnation(1), shards, Arc::default(), &Limits::default(), metrics).0
    }

    #[test]
    fn a_shard_of_which_one_task_stands_still_for_thirty_looks_is_told_until_it_goes_on() {
        let (dispatcher, report) = (dispatcher(2), Report::default());
        let mut seen = vec![<[Seen; 2]>::default(); 2];
        let mut look = |stuck: bool| {
            for (number, shard) in dispatcher.shards().iter().enumerate() {
                shard.progress.tick();
                if !(stuck && number == 1) {
                    shard.progress.wheel();
                }
            }
            super::look(&dispatcher, &mut seen, &report);
            report.get()
        };
        let well = look(false);
        for seconds in 1..30 {
            let found = look(true);
            assert_eq!((found.shards, found.longest.as_secs(), found.since), (0, seconds, well.since));
        }
        let found = look(true);
        assert_eq!((found.shards, found.longest), (1, STALLED_AFTER));
        assert!(found.since > well.since);
        let found = look(false);
        assert_eq!((found.shards, found.longest), (0, Duration::ZERO));
    }
}
