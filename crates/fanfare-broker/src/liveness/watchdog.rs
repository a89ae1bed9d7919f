//! When the publisher lets its heart beat, and when it gives up a Redis that says nothing. No I/O, no clock.
//!
//! Any reply is a sign of life, errors too. A watchdog that is asked more than [`LATE`] after it wished to be is
//! that of a node that was frozen or starved: it judges nobody, and Redis gets its time anew.

use std::time::{Duration, Instant};

/// A timer this late says something of the node, and nothing of Redis.
pub(crate) const LATE: Duration = Duration::from_secs(1);

/// How closely Redis is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// How often this node says a word to Redis and listens for it.
    pub every: Duration,
    /// After how long without an answer Redis is called away; and how long after its answer the word must be
    /// heard, else this node is deaf.
    pub patience: Duration,
    /// After how long without an answer both connections are given up and opened anew: a firewall or a host
    /// that vanished tells nobody.
    pub give_up: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            patience: Duration::from_secs(3),
            give_up: Duration::from_secs(10),
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Wait,
    /// Begin a round.
    Beat,
    /// Redis is away: it answers nothing.
    Away,
    /// Give up the connections.
    GiveUp,
}

/// Watches one publishing connection.
#[derive(Debug)]
pub(crate) struct Watchdog {
    watch: Watch,
    next_beat: Instant,
    /// Since when a round is unanswered.
    unanswered: Option<Instant>,
    sign: Instant,
    away: bool,
}

impl Watchdog {
    /// For a connection that was opened just now.
    pub(crate) fn new(watch: Watch, now: Instant) -> Self {
        Self { watch, next_beat: now, unanswered: None, sign: now, away: false }
    }

    /// When it wishes to be asked.
    pub(crate) fn deadline(&self) -> Instant {
        match self.unanswered {
            None => self.next_beat,
            Some(_) if self.away => self.silent_since() + self.watch.give_up,
            Some(_) => self.silent_since() + self.watch.patience,
        }
    }

    /// What is to be done now.
    pub(crate) fn ask(&mut self, now: Instant) -> Verdict {
        if now < self.deadline() {
            return Verdict::Wait;
        }
        if self.unanswered.is_none() {
            self.next_beat = now + self.watch.every;
            self.unanswered = Some(now);
            return Verdict::Beat;
        }
        if now > self.deadline() + LATE {
            self.sign = now;
            return Verdict::Wait;
        }
        if self.away {
            return Verdict::GiveUp;
        }
        self.away = true;
        Verdict::Away
    }

    /// Redis said something. Whether it was away until now.
    pub(crate) fn sign(&mut self, now: Instant) -> bool {
        self.sign = now;
        std::mem::take(&mut self.away)
    }

    /// The round is answered.
    pub(crate) fn answered(&mut self) {
        self.unanswered = None;
    }

    /// Begin the next round as soon as can be.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.next_beat = now;
    }

    fn silent_since(&self) -> Instant {
        self.unanswered.map_or(self.sign, |since| since.max(self.sign))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn watchdog() -> (Watchdog, Instant) {
        let now = Instant::now();
        (Watchdog::new(Watch::default(), now), now)
    }

    #[test]
    fn at_most_one_round_is_unanswered() {
        let (mut dog, now) = watchdog();
        assert_eq!(dog.ask(now), Verdict::Beat);
        dog.hurry(now + SECOND);
        assert_eq!(dog.ask(now + SECOND), Verdict::Wait);
        assert_eq!(dog.ask(now + 2 * SECOND), Verdict::Wait);
        dog.answered();
        assert_eq!(dog.ask(now + 2 * SECOND), Verdict::Beat);
        dog.answered();
        assert_eq!(dog.ask(now + 2 * SECOND), Verdict::Wait, "one a second");
        assert_eq!(dog.deadline(), now + 3 * SECOND);
    }

    #[test]
    fn a_silent_redis_is_away_and_then_given_up() {
        let (mut dog, now) = watchdog();
        dog.ask(now);
        assert_eq!(dog.ask(now + 3 * SECOND), Verdict::Away);
        assert_eq!(dog.ask(now + 9 * SECOND), Verdict::Wait);
        assert_eq!(dog.ask(now + 10 * SECOND), Verdict::GiveUp);
    }

    #[test]
    fn any_reply_is_a_sign_of_life() {
        let (mut dog, now) = watchdog();
        dog.ask(now);
        assert!(!dog.sign(now + 2 * SECOND));
        assert_eq!(dog.ask(now + 3 * SECOND), Verdict::Wait);
        assert_eq!(dog.ask(now + 5 * SECOND), Verdict::Away);
        assert!(dog.sign(now + 6 * SECOND), "it was away");
        assert_eq!(dog.ask(now + 9 * SECOND), Verdict::Away, "the round itself is unanswered still");
    }

    #[test]
    fn a_late_watchdog_judges_nobody() {
        let (mut dog, now) = watchdog();
        dog.ask(now);
        let thawed = now + 20 * SECOND;
        assert_eq!(dog.ask(thawed), Verdict::Wait);
        assert_eq!(dog.ask(thawed + 2 * SECOND), Verdict::Wait);
        assert_eq!(dog.ask(thawed + 3 * SECOND), Verdict::Away);
    }
}
