//! Whether all of the node's subscriptions are up, and for how long they were not. No I/O, no clock.
//!
//! They are up once all of them are confirmed on one connection and the canary was heard on it. Before that happens for
//! the first time, each confirmed subscription counts by itself: its waiter was told that it is confirmed, and can lose
//! something.

use std::time::{Duration, Instant};

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct OutageTracker {
    /// Whether all subscriptions of this connection are confirmed.
    settled: bool,
    phase: Phase,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    /// No subscription was confirmed yet.
    #[default]
    New,
    /// Some were confirmed, the first of them at that time.
    Begun(Instant),
    /// All are up, since that time.
    Up(Instant),
    /// Since that time, publications may be missing.
    Interrupted(Instant),
}

impl OutageTracker {
    /// A subscription is confirmed.
    pub(crate) fn confirmed(&mut self, now: Instant) {
        if self.phase == Phase::New {
            self.phase = Phase::Begun(now);
        }
    }

    /// All subscriptions of this connection are confirmed.
    pub(crate) fn settled(&mut self, now: Instant) {
        self.confirmed(now);
        self.settled = true;
    }

    /// Whether all subscriptions of this connection are confirmed.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// The subscriptions are not up any more. `whole_until` is when the node was whole for the last time, if that is
    /// known. Whether the node is to be told.
    pub(crate) fn lost(&mut self, whole_until: Option<Instant>) -> bool {
        self.settled = false;
        let (Phase::Begun(at) | Phase::Up(at)) = self.phase else { return false };
        self.phase = Phase::Interrupted(whole_until.map_or(at, |until| until.max(at)));
        true
    }

    /// Whether the subscriptions are up, as far as the node was told.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up(_))
    }

    /// Looks again after a change. The length of the outage that is over, if one is.
    pub(crate) fn restored(&mut self, heard: bool, now: Instant) -> Option<Duration> {
        if !self.settled || !heard {
            return None;
        }
        match self.phase {
            Phase::Up(_) => None,
            Phase::New | Phase::Begun(_) => {
                self.phase = Phase::Up(now);
                None
            }
            Phase::Interrupted(since) => {
                self.phase = Phase::Up(now);
                Some(now.saturating_duration_since(since))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_interruption_ends_when_the_canary_is_heard() {
        let (mut outage, now) = (OutageTracker::default(), Instant::now());
        assert!(!outage.lost(None), "nothing was up");
        outage.settled(now);
        assert_eq!(outage.restored(true, now), None, "nothing was interrupted");
        assert!(outage.is_up());
        assert!(outage.lost(Some(now + SECOND)));
        assert!(!outage.is_up());
        assert!(!outage.lost(Some(now + SECOND)));
        outage.settled(now + 2 * SECOND);
        assert_eq!(outage.restored(false, now + 2 * SECOND), None);
        assert!(!outage.lost(Some(now + 3 * SECOND)), "it is the same interruption");
        outage.settled(now + 4 * SECOND);
        assert_eq!(outage.restored(true, now + 5 * SECOND), Some(4 * SECOND));
        assert_eq!(outage.restored(true, now + 6 * SECOND), None);
    }

    #[test]
    fn confirmed_subscriptions_that_heard_nothing_can_be_interrupted() {
        let (mut outage, now) = (OutageTracker::default(), Instant::now());
        outage.settled(now);
        assert!(outage.lost(None));
        outage.settled(now + SECOND);
        assert_eq!(outage.restored(true, now + 2 * SECOND), Some(2 * SECOND), "the end is not known");
    }

    #[test]
    fn the_first_confirmed_subscription_can_be_interrupted() {
        let (mut outage, now) = (OutageTracker::default(), Instant::now());
        outage.confirmed(now + SECOND);
        outage.confirmed(now + 2 * SECOND);
        assert!(!outage.is_settled() && !outage.is_up());
        assert!(outage.lost(Some(now)), "an earlier connection says nothing of it");
        outage.confirmed(now + 3 * SECOND);
        assert!(!outage.lost(None), "it is the same interruption");
        outage.settled(now + 4 * SECOND);
        assert_eq!(outage.restored(true, now + 4 * SECOND), Some(3 * SECOND));
    }

    #[test]
    fn no_moment_is_in_two_interruptions() {
        let (mut outage, now) = (OutageTracker::default(), Instant::now());
        outage.settled(now);
        assert!(outage.lost(Some(now)));
        outage.settled(now + 2 * SECOND);
        assert_eq!(outage.restored(true, now + 2 * SECOND), Some(2 * SECOND));
        assert!(outage.lost(Some(now + SECOND)));
        outage.settled(now + 3 * SECOND);
        assert_eq!(outage.restored(true, now + 3 * SECOND), Some(SECOND));
    }
}
