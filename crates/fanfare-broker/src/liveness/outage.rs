//! Whether the node's subscriptions stand, and what it is told of it. No I/O, no clock.
//!
//! They stand once all of them are confirmed on one connection and the canary was heard on it. Until they did for the
//! first time, each that is confirmed stands by itself: whoever waited for it was told so, and can lose something.

use std::time::{Duration, Instant};

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Whether all subscriptions of this connection are confirmed.
    settled: bool,
    phase: Phase,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Never,
    /// Some were confirmed, the first of them then.
    Begun(Instant),
    /// All do, since then.
    Stands(Instant),
    /// Since then, publications may be missing.
    Interrupted(Instant),
}

impl Standing {
    /// A subscription is confirmed.
    pub(crate) fn confirmed(&mut self, now: Instant) {
        if self.phase == Phase::Never {
            self.phase = Phase::Begun(now);
        }
    }

    /// All subscriptions of this connection are confirmed.
    pub(crate) fn settled(&mut self, now: Instant) {
        self.confirmed(now);
        self.settled = true;
    }

    /// Whether they are.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// They do not stand any more; `whole_until`: when the node was whole for the last time, if that is known. Whether
    /// that is to be told.
    pub(crate) fn lost(&mut self, whole_until: Option<Instant>) -> bool {
        self.settled = false;
        let (Phase::Begun(at) | Phase::Stands(at)) = self.phase else { return false };
        self.phase = Phase::Interrupted(whole_until.map_or(at, |until| until.max(at)));
        true
    }

    /// Whether they stand, as far as the node was told.
    pub(crate) fn stands(&self) -> bool {
        matches!(self.phase, Phase::Stands(_))
    }

    /// After something changed: the outage that is over, if one is.
    pub(crate) fn restored(&mut self, heard: bool, now: Instant) -> Option<Duration> {
        if !self.settled || !heard {
            return None;
        }
        match self.phase {
            Phase::Stands(_) => None,
            Phase::Never | Phase::Begun(_) => {
                self.phase = Phase::Stands(now);
                None
            }
            Phase::Interrupted(since) => {
                self.phase = Phase::Stands(now);
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
    fn an_interruption_is_told_once_and_ends_when_the_canary_is_heard() {
        let (mut standing, now) = (Standing::default(), Instant::now());
        assert!(!standing.lost(None), "nothing stood");
        standing.settled(now);
        assert_eq!(standing.restored(true, now), None, "nothing was interrupted");
        assert!(standing.stands());
        assert!(standing.lost(Some(now + SECOND)));
        assert!(!standing.stands());
        assert!(!standing.lost(Some(now + SECOND)));
        standing.settled(now + 2 * SECOND);
        assert_eq!(standing.restored(false, now + 2 * SECOND), None);
        assert!(!standing.lost(Some(now + 3 * SECOND)), "it is the same interruption");
        standing.settled(now + 4 * SECOND);
        assert_eq!(standing.restored(true, now + 5 * SECOND), Some(4 * SECOND));
        assert_eq!(standing.restored(true, now + 6 * SECOND), None);
    }

    #[test]
    fn subscriptions_that_were_confirmed_and_never_heard_can_be_interrupted() {
        let (mut standing, now) = (Standing::default(), Instant::now());
        standing.settled(now);
        assert!(standing.lost(None));
        standing.settled(now + SECOND);
        assert_eq!(standing.restored(true, now + 2 * SECOND), Some(2 * SECOND), "nobody knows when it ended");
    }

    #[test]
    fn a_subscription_that_was_confirmed_before_all_were_can_be_interrupted() {
        let (mut standing, now) = (Standing::default(), Instant::now());
        standing.confirmed(now + SECOND);
        standing.confirmed(now + 2 * SECOND);
        assert!(!standing.is_settled() && !standing.stands());
        assert!(standing.lost(Some(now)), "what an earlier connection heard says nothing of it");
        standing.confirmed(now + 3 * SECOND);
        assert!(!standing.lost(None), "it is the same interruption");
        standing.settled(now + 4 * SECOND);
        assert_eq!(standing.restored(true, now + 4 * SECOND), Some(3 * SECOND));
    }

    #[test]
    fn no_moment_is_in_two_interruptions() {
        let (mut standing, now) = (Standing::default(), Instant::now());
        standing.settled(now);
        assert!(standing.lost(Some(now)));
        standing.settled(now + 2 * SECOND);
        assert_eq!(standing.restored(true, now + 2 * SECOND), Some(2 * SECOND));
        assert!(standing.lost(Some(now + SECOND)));
        standing.settled(now + 3 * SECOND);
        assert_eq!(standing.restored(true, now + 3 * SECOND), Some(SECOND));
    }
}
