//! How the subscriber listens: whether it keeps up with reading, and when silence is Redis' fault. No I/O, no
//! clock.
//!
//! Invariant: what the node itself does not read is not called Redis' silence. The time to hear a round begins
//! anew whenever the node had no room, and whenever it was frozen.

use std::time::Instant;

use super::watchdog::{LATE, Watch};

/// Listens on one subscribing connection.
#[derive(Debug)]
pub(crate) struct Ear {
    watch: Watch,
    /// Since when it reads what there is; `None` while the node has no room.
    reading: Option<Instant>,
    /// Where it did not keep up: the last round that began before it went on. It has caught up once a later one
    /// is heard; those before may still have come from what Redis had sent.
    behind: Option<u64>,
    next_look: Instant,
}

impl Ear {
    /// For a connection that was opened just now.
    pub(crate) fn new(watch: Watch, now: Instant) -> Self {
        Self { watch, reading: Some(now), behind: None, next_look: now + watch.every }
    }

    /// The node has no room.
    pub(crate) fn blocked(&mut self) {
        self.reading = None;
    }

    /// The node has room; `round` is asked for the last round that began.
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

    /// Whether it did not keep up, and has not caught up since.
    pub(crate) fn is_behind(&self) -> bool {
        self.reading.is_none() || self.behind.is_some()
    }

    /// When it wishes to look.
    pub(crate) fn deadline(&self) -> Instant {
        self.next_look
    }

    /// Whether this node is deaf: Redis took a round at `owed` and did not deliver it in time.
    pub(crate) fn is_deaf(&mut self, owed: Option<Instant>, now: Instant) -> bool {
        if now < self.next_look {
            return false;
        }
        let is_late = now > self.next_look + LATE;
        self.next_look = now + self.watch.every;
        if is_late {
            self.reading = self.reading.and(Some(now));
        }
        match (owed, self.reading) {
            (Some(owed), Some(reading)) => owed.max(reading) + self.watch.patience <= now,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ear() -> (Ear, Instant) {
        let now = Instant::now();
        (Ear::new(Watch::default(), now), now)
    }

    /// After how many looks, one a second from `now` on, it finds itself deaf.
    fn looks(ear: &mut Ear, now: Instant, owed: Option<Instant>) -> Option<u32> {
        (1..20).find(|&second| ear.is_deaf(owed, now + second * SECOND))
    }

    #[test]
    fn what_is_owed_for_three_seconds_is_not_heard() {
        let (mut ear, now) = ear();
        assert_eq!(looks(&mut ear, now, None), None);
        let (mut ear, now) = self::ear();
        assert_eq!(looks(&mut ear, now, Some(now + 2 * SECOND)), Some(5));
    }

    #[test]
    fn what_the_node_does_not_read_is_not_redis_silence() {
        let (mut ear, now) = ear();
        ear.blocked();
        assert_eq!(looks(&mut ear, now, Some(now)), None);
        let (mut ear, now) = self::ear();
        ear.blocked();
        ear.reads(|| 7);
        assert!(ear.is_behind());
        ear.heard(7);
        assert!(ear.is_behind(), "it began before");
        ear.heard(8);
        assert!(!ear.is_behind());
        assert_eq!(looks(&mut ear, now, Some(now)), Some(4), "it listens anew, a moment after now");
    }

    #[test]
    fn a_late_look_judges_nobody() {
        let (mut ear, now) = ear();
        let thawed = now + 20 * SECOND;
        assert!(!ear.is_deaf(Some(now), thawed));
        assert_eq!(looks(&mut ear, thawed, Some(now)), Some(3));
    }
}
