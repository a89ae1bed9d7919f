//! All that is known of the subscribing side.

use std::time::{Duration, Instant};

use fanfare_core::broker::Interruption;

use super::{canary::Generation, deafness::DeafnessCheck, outage::OutageTracker, watchdog::Watch};
use crate::backoff::Backoff;

/// The time between two comparisons of the number of subscriptions with that of the broker.
pub(crate) const CHECK: Duration = Duration::from_secs(10);

/// The time between two retries of some forbidden channels. Each check retries all of them.
pub(crate) const RETRY: Duration = Duration::from_secs(2);

/// The most channels of one retry: mostly all, and never a storm.
pub(crate) const RETRIED: usize = 64;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) outage: OutageTracker,
    pub(crate) deafness: DeafnessCheck,
    pub(crate) generation: Generation,
    pub(crate) backoff: Backoff,
    /// When the number of subscriptions was right for the last time.
    pub(crate) last_check: Instant,
    pub(crate) next_check: Instant,
    pub(crate) next_retry: Instant,
    /// Whether the broker forbids the check.
    pub(crate) unchecked: bool,
    /// Why subscriptions were interrupted for the last time.
    pub(crate) cause: Interruption,
    /// For how long nodes were on two servers, as far as this node was not told yet.
    pub(crate) split: Option<Duration>,
    /// The command that is tried again, and why, as it was said last on this connection.
    pub(crate) postponed: Option<(&'static str, String)>,
}

impl Progress {
    pub(crate) fn new(watch: Watch) -> Self {
        let now = Instant::now();
        Self {
            outage: OutageTracker::default(),
            deafness: DeafnessCheck::new(watch, now),
            generation: Generation::default(),
            backoff: Backoff::default(),
            last_check: now,
            next_check: now + CHECK,
            next_retry: now + RETRY,
            unchecked: false,
            cause: Interruption::Lost,
            split: None,
            postponed: None,
        }
    }

    /// A connection was opened.
    pub(crate) fn connected(&mut self, generation: Generation, watch: Watch) {
        let now = Instant::now();
        self.next_check = now + CHECK;
        self.next_retry = now + RETRY;
        self.deafness = DeafnessCheck::new(watch, now);
        self.postponed = None;
        self.generation = generation;
    }
}
