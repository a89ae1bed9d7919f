//! How it goes with the subscriber.

use std::time::{Duration, Instant};

use fanfare_core::broker::Interruption;

use super::{canary::Generation, deafness::Ear, outage::Standing, watchdog::Watch};
use crate::backoff::Backoff;

/// How often the number of subscriptions is compared with what Redis says.
pub(crate) const CHECK: Duration = Duration::from_secs(10);

/// How often some of the channels that Redis forbids are asked for again. All of them are at each check.
pub(crate) const RETRY: Duration = Duration::from_secs(2);

/// How many they are: mostly all, and never a storm.
pub(crate) const RETRIED: usize = 64;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) standing: Standing,
    pub(crate) ear: Ear,
    pub(crate) generation: Generation,
    pub(crate) backoff: Backoff,
    /// When the number of subscriptions was right for the last time.
    pub(crate) last_check: Instant,
    pub(crate) next_check: Instant,
    pub(crate) next_retry: Instant,
    /// Whether Redis forbids the check.
    pub(crate) unchecked: bool,
    /// Why subscriptions did not stand, the last time.
    pub(crate) cause: Interruption,
    /// For how long nodes were on two servers, where the node was not told yet.
    pub(crate) apart: Option<Duration>,
    /// The command that is tried again, and why, as far as that was said on this connection.
    pub(crate) postponed: Option<(&'static str, String)>,
}

impl Progress {
    pub(crate) fn new(watch: Watch) -> Self {
        let now = Instant::now();
        Self {
            standing: Standing::default(),
            ear: Ear::new(watch, now),
            generation: Generation::default(),
            backoff: Backoff::default(),
            last_check: now,
            next_check: now + CHECK,
            next_retry: now + RETRY,
            unchecked: false,
            cause: Interruption::Lost,
            apart: None,
            postponed: None,
        }
    }

    /// A connection was opened.
    pub(crate) fn connected(&mut self, generation: Generation, watch: Watch) {
        let now = Instant::now();
        self.next_check = now + CHECK;
        self.next_retry = now + RETRY;
        self.ear = Ear::new(watch, now);
        self.postponed = None;
        self.generation = generation;
    }
}
