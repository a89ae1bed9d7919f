//! When the publisher begins a round, and when it gives up a broker that answers nothing. No I/O, no clock.
//!
//! Any reply is a sign of life, errors too. A watchdog that is asked more than [`LATE`] after its deadline belongs to a
//! node that was frozen or starved: it does not judge, and the broker gets its time anew.

use std::time::{Duration, Instant};

/// A timer that is later than this says something of the node, and nothing of the broker.
pub(crate) const LATE: Duration = Duration::from_secs(1);

/// How closely the broker is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// How often this node publishes a message to itself.
    pub every: Duration,
    /// After how long without an answer the broker is away; and how long after its answer the message must arrive, else
    /// this node is deaf.
    pub patience: Duration,
    /// After how long without an answer both connections are given up and opened anew: no packet says that a firewall
    /// or a host has vanished.
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

/// The next thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Wait,
    /// Begin a round.
    BeginRound,
    /// The broker is away: it answers nothing.
    Away,
    /// Give up the connections.
    GiveUp,
}

/// Watches one publishing connection.
#[derive(Debug)]
pub(crate) struct Watchdog {
    watch: Watch,
    next_round: Instant,
    /// Since when a round is unanswered.
    unanswered: Option<Instant>,
    sign: Instant,
    away: bool,
}

impl Watchdog {
    /// For a connection that was opened just now.
    pub(crate) fn new(watch: Watch, now: Instant) -> Self {
        Self { watch, next_round: now, unanswered: None, sign: now, away: false }
    }

    /// When it is to be asked.
    pub(crate) fn deadline(&self) -> Instant {
        match self.unanswered {
            None => self.next_round,
            Some(_) if self.away => self.silent_since() + self.watch.give_up,
            Some(_) => self.silent_since() + self.watch.patience,
        }
    }

    /// The thing to do now.
    pub(crate) fn ask(&mut self, now: Instant) -> Verdict {
        if now < self.deadline() {
            return Verdict::Wait;
        }
        if self.unanswered.is_none() {
            self.next_round = now + self.watch.every;
            self.unanswered = Some(now);
            return Verdict::BeginRound;
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

    /// The broker said something. Whether it was away until now.
    pub(crate) fn sign(&mut self, now: Instant) -> bool {
        self.sign = now;
        std::mem::take(&mut self.away)
    }

    /// The round is answered.
    pub(crate) fn answered(&mut self) {
        self.unanswered = None;
    }

    /// Lets the next round begin at once.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.next_round = now;
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
        let (mut watchdog, now) = watchdog();
        assert_eq!(watchdog.ask(now), Verdict::BeginRound);
        watchdog.hurry(now + SECOND);
        assert_eq!(watchdog.ask(now + SECOND), Verdict::Wait);
        assert_eq!(watchdog.ask(now + 2 * SECOND), Verdict::Wait);
        watchdog.answered();
        assert_eq!(watchdog.ask(now + 2 * SECOND), Verdict::BeginRound);
        watchdog.answered();
        assert_eq!(watchdog.ask(now + 2 * SECOND), Verdict::Wait, "one a second");
        assert_eq!(watchdog.deadline(), now + 3 * SECOND);
    }

    #[test]
    fn a_silent_broker_is_away_then_given_up() {
        let (mut watchdog, now) = watchdog();
        watchdog.ask(now);
        assert_eq!(watchdog.ask(now + 3 * SECOND), Verdict::Away);
        assert_eq!(watchdog.ask(now + 9 * SECOND), Verdict::Wait);
        assert_eq!(watchdog.ask(now + 10 * SECOND), Verdict::GiveUp);
    }

    #[test]
    fn any_reply_is_a_sign_of_life() {
        let (mut watchdog, now) = watchdog();
        watchdog.ask(now);
        assert!(!watchdog.sign(now + 2 * SECOND));
        assert_eq!(watchdog.ask(now + 3 * SECOND), Verdict::Wait);
        assert_eq!(watchdog.ask(now + 5 * SECOND), Verdict::Away);
        assert!(watchdog.sign(now + 6 * SECOND), "it was away");
        assert_eq!(watchdog.ask(now + 9 * SECOND), Verdict::Away, "the round itself is unanswered still");
    }

    #[test]
    fn a_late_watchdog_does_not_judge() {
        let (mut watchdog, now) = watchdog();
        watchdog.ask(now);
        let thawed = now + 20 * SECOND;
        assert_eq!(watchdog.ask(thawed), Verdict::Wait);
        assert_eq!(watchdog.ask(thawed + 2 * SECOND), Verdict::Wait);
        assert_eq!(watchdog.ask(thawed + 3 * SECOND), Verdict::Away);
    }
}
