//! Whether the node's subscriptions stand, and what it is told of it. No I/O, no clock.
//!
//! They stand once all of them are confirmed on one connection and the canary was heard on it.

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
    Stands,
    /// Since then, publications may be missing.
    Interrupted(Instant),
}

impl Standing {
    /// All subscriptions of this connection are confirmed.
    pub(crate) fn settled(&mut self) {
        self.settled = true;
    }

    /// Whether they are.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// They do not stand any more, and were whole until `since`. Whether that is to be told.
    pub(crate) fn lost(&mut self, since: Instant) -> bool {
        let stood = std::mem::take(&mut self.settled);
        if !stood || matches!(self.phase, Phase::Interrupted(_)) {
            return false;
        }
        self.phase = Phase::Interrupted(since);
        true
    }

    /// Whether they stand, as far as the node was told.
    pub(crate) fn stands(&self) -> bool {
        self.phase == Phase::Stands
    }

    /// After something changed: the outage that is over, if one is.
    pub(crate) fn restored(&mut self, heard: bool, now: Instant) -> Option<Duration> {
        if !self.settled || !heard {
            return None;
        }
        match std::mem::replace(&mut self.phase, Phase::Stands) {
            Phase::Interrupted(since) => Some(now.saturating_duration_since(since)),
            _ => None,
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
        assert!(!standing.lost(now), "nothing stood");
        standing.settled();
        assert_eq!(standing.restored(true, now), None, "nothing was interrupted");
        assert!(standing.lost(now));
        assert!(!standing.lost(now + SECOND));
        standing.settled();
        assert_eq!(standing.restored(false, now + 2 * SECOND), None);
        assert!(!standing.lost(now + 3 * SECOND), "it is the same interruption");
        standing.settled();
        assert_eq!(standing.restored(true, now + 4 * SECOND), Some(4 * SECOND));
        assert_eq!(standing.restored(true, now + 5 * SECOND), None);
    }

    #[test]
    fn subscriptions_that_were_confirmed_and_never_heard_can_be_interrupted() {
        let (mut standing, now) = (Standing::default(), Instant::now());
        standing.settled();
        assert!(standing.lost(now));
    }
}
