//! The stall check: whether each shard's two tasks go on.
//!
//! Invariant: the check counts its own looks, not time. While the node is frozen or starved the check stands still as
//! the shards do, and a node that wakes is not judged for the time before.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::delivery::dispatcher::Dispatcher;

/// How long a shard may stand still before the node counts as dead.
pub const STALLED_AFTER: Duration = Duration::from_secs(30);

/// The time between two looks.
const TURN: Duration = Duration::from_secs(1);

/// The result of the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// The number of shards that have stood still for [`STALLED_AFTER`] or longer.
    pub shards: usize,
    /// The longest time that a shard has stood still by now, to the second.
    pub longest: Duration,
    /// Since when `shards` is 0, or is not.
    pub since: SystemTime,
}

impl Default for Stall {
    fn default() -> Self {
        Self { shards: 0, longest: Duration::ZERO, since: SystemTime::now() }
    }
}

/// The last result of the check, for readers in other tasks.
#[derive(Debug, Default)]
pub(crate) struct StallReport(Mutex<Stall>);

impl StallReport {
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

/// The steps of one task as last seen, and the number of looks since they changed.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    steps: u32,
    looks: u32,
}

impl Seen {
    fn look(&mut self, steps: u32) -> u32 {
        self.looks = if self.steps == steps { self.looks.saturating_add(1) } else { 0 };
        self.steps = steps;
        self.looks
    }
}

/// Looks at every shard once a second for as long as the node lives.
pub(crate) async fn watch(dispatcher: Arc<Dispatcher>, report: Arc<StallReport>) {
    let mut second = interval(TURN);
    // A turn that comes late is one turn, not many.
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = vec![<[Seen; 2]>::default(); dispatcher.shards().len()];
    loop {
        second.tick().await;
        look(&dispatcher, &mut seen, &report);
    }
}

fn look(dispatcher: &Dispatcher, seen: &mut [[Seen; 2]], report: &StallReport) {
    let (mut still, mut longest) = (0, Duration::ZERO);
    for (shard, seen) in dispatcher.shards().iter().zip(seen) {
        let tasks = seen.iter_mut().zip(shard.progress.steps());
        let looks = tasks.map(|(seen, steps)| seen.look(steps)).max().unwrap_or(0);
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
    fn a_stalled_shard_is_reported() {
        let (dispatcher, report) = (dispatcher(2), StallReport::default());
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
