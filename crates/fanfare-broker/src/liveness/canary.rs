//! The canary: each second this node publishes a number to a channel that only it is subscribed to, and listens
//! for it. No I/O, no clock.
//!
//! Both tasks speak with it: the publisher begins rounds and has them answered, the subscriber hears them.
//!
//! Invariants:
//! - A round is owed to the subscriber only where it began after the canary's subscription was confirmed on the
//!   subscribing connection that there is now, and only once Redis took it.
//! - At most [`ROUNDS`] rounds are remembered.
//! - The node is whole until a round that it heard, and that Redis answered behind a heartbeat that it took.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How many rounds that were not heard are remembered.
const ROUNDS: usize = 16;

/// Which subscribing connection: counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Generation(u64);

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Canary {
    /// The number of the last round that began.
    number: u64,
    /// Began and were not heard.
    rounds: VecDeque<Round>,
    generation: Generation,
    /// From which round on the subscriber must hear it.
    owed_from: Option<u64>,
    /// Whether it was heard on this generation.
    heard: bool,
    /// The last round that was heard before Redis answered it: its number, and when it began.
    heard_first: Option<(u64, Instant)>,
    /// When the last round that was heard and answered began.
    whole_until: Option<Instant>,
}

#[derive(Debug)]
struct Round {
    number: u64,
    began: Instant,
    answered: Option<Instant>,
}

impl Canary {
    /// A round begins; its number.
    pub(crate) fn begin(&mut self, now: Instant) -> u64 {
        self.number += 1;
        if self.rounds.len() == ROUNDS {
            self.rounds.pop_front();
        }
        self.rounds.push_back(Round { number: self.number, began: now, answered: None });
        self.number
    }

    /// Redis took a round and says how many subscribers it reached. Where it should have reached this node and
    /// reached nobody: the generation that is deaf.
    pub(crate) fn answered(&mut self, number: u64, receivers: i64, now: Instant) -> Option<Generation> {
        // Where it is not there any more, it was heard already.
        if let Some(round) = self.rounds.iter_mut().find(|round| round.number == number) {
            round.answered = Some(now);
        }
        if let Some((_, began)) = self.heard_first.take_if(|(heard, _)| *heard <= number) {
            self.whole_until = Some(began);
        }
        let is_owed = self.owed_from.is_some_and(|from| from <= number);
        (receivers == 0 && is_owed).then_some(self.generation)
    }

    /// A subscribing connection was opened.
    pub(crate) fn connected(&mut self) -> Generation {
        self.generation.0 += 1;
        self.disconnected();
        self.generation
    }

    /// There is no subscribing connection.
    pub(crate) fn disconnected(&mut self) {
        (self.owed_from, self.heard) = (None, false);
    }

    /// The canary's subscription is confirmed.
    pub(crate) fn subscribed(&mut self) {
        self.owed_from.get_or_insert(self.number + 1);
    }

    /// The subscriber heard a round; how long it was under way.
    pub(crate) fn heard(&mut self, number: u64, now: Instant) -> Option<Duration> {
        self.heard = true;
        let mut last = None;
        while let Some(round) = self.rounds.pop_front_if(|round| round.number <= number) {
            last = Some(round).filter(|round| round.number == number);
        }
        let Round { began, answered, .. } = last?;
        match answered {
            Some(_) => self.whole_until = Some(began),
            None => self.heard_first = Some((number, began)),
        }
        Some(now.saturating_duration_since(began))
    }

    /// Whether it was heard on this generation.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard
    }

    /// Since when Redis owes this node a round that it took.
    pub(crate) fn owed_since(&self) -> Option<Instant> {
        let from = self.owed_from?;
        self.rounds.iter().find(|round| round.number >= from && round.answered.is_some())?.answered
    }

    /// The number of the last round that began.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// When the last round that was heard and answered began: what Redis took before it was delivered. A demoted
    /// master delivers rounds to its own subscribers too, but does not take the heartbeat before them, and no answer
    /// of it counts.
    pub(crate) fn whole_until(&self) -> Option<Instant> {
        self.whole_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A canary whose subscription stands, and which was not heard yet.
    fn listening() -> (Canary, Instant) {
        let mut canary = Canary::default();
        canary.connected();
        canary.subscribed();
        (canary, Instant::now())
    }

    #[test]
    fn a_round_is_owed_from_its_answer_until_it_is_heard() {
        let (mut canary, now) = listening();
        let round = canary.begin(now);
        assert_eq!(canary.owed_since(), None, "it is not answered");
        assert_eq!(canary.answered(round, 1, now + SECOND), None);
        assert_eq!(canary.owed_since(), Some(now + SECOND));
        assert_eq!(canary.heard(round, now + 2 * SECOND), Some(2 * SECOND));
        assert_eq!(canary.owed_since(), None);
        assert_eq!(canary.whole_until(), Some(now));
    }

    #[test]
    fn a_round_that_is_heard_before_its_answer_is_not_owed() {
        let (mut canary, now) = listening();
        let round = canary.begin(now);
        assert_eq!(canary.heard(round, now), Some(Duration::ZERO));
        assert_eq!(canary.answered(round, 1, now), None);
        assert_eq!(canary.owed_since(), None);
    }

    #[test]
    fn the_oldest_round_that_is_owed_counts() {
        let (mut canary, now) = listening();
        let rounds = [0, 1, 2].map(|second| {
            let round = canary.begin(now + second * SECOND);
            canary.answered(round, 1, now + second * SECOND);
            round
        });
        assert_eq!(canary.owed_since(), Some(now));
        canary.heard(rounds[1], now + 3 * SECOND);
        assert_eq!(canary.owed_since(), Some(now + 2 * SECOND), "what a later one overtook is not owed");
        for second in 3..100 {
            let round = canary.begin(now + second * SECOND);
            canary.answered(round, 1, now + second * SECOND);
        }
        assert_eq!(canary.rounds.len(), ROUNDS);
    }

    #[test]
    fn what_began_before_the_subscription_stood_is_not_owed() {
        let mut canary = Canary::default();
        let now = Instant::now();
        let before = canary.begin(now);
        assert_eq!(canary.answered(before, 0, now), None, "nobody was subscribed");
        canary.connected();
        let between = canary.begin(now);
        canary.subscribed();
        assert_eq!(canary.answered(between, 0, now), None, "it may have run before the SUBSCRIBE");
        assert_eq!(canary.owed_since(), None);
        let after = canary.begin(now);
        assert_eq!(canary.answered(after, 0, now), Some(Generation(1)));
        let generation = canary.connected();
        assert_eq!(canary.answered(after, 0, now), None, "that was another connection");
        assert_eq!((canary.owed_since(), generation), (None, Generation(2)));
    }

    #[test]
    fn a_round_that_a_demoted_master_delivers_and_does_not_answer_proves_nothing() {
        let (mut canary, now) = listening();
        let round = canary.begin(now);
        assert_eq!(canary.heard(round, now), Some(Duration::ZERO));
        canary.answered(round, 1, now);
        assert_eq!(canary.whole_until(), Some(now));
        let after = canary.begin(now + SECOND);
        canary.heard(after, now + SECOND);
        assert_eq!(canary.whole_until(), Some(now), "the heartbeat was refused, and the connection given up");
    }

    #[test]
    fn each_connection_must_hear_it_anew() {
        let (mut canary, now) = listening();
        let round = canary.begin(now);
        canary.heard(round, now);
        canary.answered(round, 1, now);
        assert!(canary.is_heard());
        canary.disconnected();
        assert!(!canary.is_heard());
        assert_eq!(canary.whole_until(), Some(now), "that stays known");
    }
}
