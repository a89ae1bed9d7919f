//! Whether the broker delivers what it took, as far as the subscriber keeps up with reading. No I/O, no clock.
//!
//! Invariant: a node that does not read does not call the broker silent. The time to hear a round begins anew whenever
//! the node had no room, and whenever it was frozen.

use std::time::Instant;

use super::watchdog::{LATE, Watch};

/// The check of one subscribing connection.
#[derive(Debug)]
pub(crate) struct DeafnessCheck {
    watch: Watch,
    /// Since when the subscriber reads; `None` while the node has no room.
    reading: Option<Instant>,
    /// The last round that began before the subscriber read on, where it did not keep up. It has caught up once it
    /// hears a later one: the broker may have sent the earlier ones long ago.
    behind: Option<u64>,
    next_look: Instant,
}

impl DeafnessCheck {
    /// For a connection that was opened just now.
    pub(crate) fn new(watch: Watch, now: Instant) -> Self {
        Self { watch, reading: Some(now), behind: None, next_look: now + watch.every }
    }

    /// The node has no room.
    pub(crate) fn blocked(&mut self) {
        self.reading = None;
    }

    /// The node has room. `round` says the last round that began.
    pub(crate) fn reads(&mut self, round: impl FnOnce() -> u64) {
        if self.reading.is_none() {
            self.reading = Some(Instant::now());
            self.behind = Some(round());
        }
    }

    /// A round was heard.
    pub(crate) fn heard(&mut self, round: u64) {
        if self.behind.is_some_and(|behind| behind < round) {
            self.behind = None;
        }
    }

    /// Whether the subscriber did not keep up, and has not caught up since.
    pub(crate) fn is_behind(&self) -> bool {
        self.reading.is_none() || self.behind.is_some()
    }

    /// When it is to be asked.
    pub(crate) fn deadline(&self) -> Instant {
        self.next_look
    }

    /// Whether this node is deaf: the broker took a round at `expected` and did not deliver it in time.
    pub(crate) fn is_deaf(&mut self, expected: Option<Instant>, now: Instant) -> bool {
        if now < self.next_look {
            return false;
        }
        let is_late = now > self.next_look + LATE;
        self.next_look = now + self.watch.every;
        if is_late {
            self.reading = self.reading.and(Some(now));
        }
        match (expected, self.reading) {
            (Some(expected), Some(reading)) => expected.max(reading) + self.watch.patience <= now,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn check() -> (DeafnessCheck, Instant) {
        let now = Instant::now();
        (DeafnessCheck::new(Watch::default(), now), now)
    }

    /// The number of looks, one a second from `now` on, after which it finds the node deaf.
    fn looks(check: &mut DeafnessCheck, now: Instant, expected: Option<Instant>) -> Option<u32> {
        (1..20).find(|&second| check.is_deaf(expected, now + second * SECOND))
    }

    #[test]
    fn a_round_missing_for_three_seconds_means_deafness() {
        let (mut check, now) = check();
        assert_eq!(looks(&mut check, now, None), None);
        let (mut check, now) = self::check();
        assert_eq!(looks(&mut check, now, Some(now + 2 * SECOND)), Some(5));
    }

    #[test]
    fn a_node_without_room_is_not_deaf() {
        let (mut check, now) = check();
        check.blocked();
        assert_eq!(looks(&mut check, now, Some(now)), None);
        let (mut check, now) = self::check();
        check.blocked();
        check.reads(|| 7);
        assert!(check.is_behind());
        check.heard(7);
        assert!(check.is_behind(), "the round began before");
        check.heard(8);
        assert!(!check.is_behind());
        assert_eq!(looks(&mut check, now, Some(now)), Some(4), "its time begins anew, a moment after now");
    }

    #[test]
    fn a_late_look_does_not_judge() {
        let (mut check, now) = check();
        let thawed = now + 20 * SECOND;
        assert!(!check.is_deaf(Some(now), thawed));
        assert_eq!(looks(&mut check, thawed, Some(now)), Some(3));
    }
}
