//! The canary: each second this node publishes a number to a channel that only it is subscribed to, and listens
//! for it. No I/O, no clock.
//!
//! Both tasks use it: the publisher begins rounds and gets their answers, the subscriber hears them.
//!
//! Invariants:
//! - The subscriber must hear a round only if the round began after the canary's subscription was confirmed on the
//!   present connection, and only once the broker took the round.
//! - At most [`ROUNDS`] rounds are remembered.
//! - The node is whole until the last round that it heard and that the broker answered behind a heartbeat that it took.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The most rounds that are remembered.
const ROUNDS: usize = 16;

/// The number of a subscribing connection, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Generation(u64);

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Canary {
    /// The number of the last round that began.
    number: u64,
    /// The rounds that began and were not heard.
    rounds: VecDeque<Round>,
    generation: Generation,
    /// The first round that the subscriber must hear.
    expected_from: Option<u64>,
    /// Whether a round was heard on this generation.
    heard: bool,
    /// The last round that was heard before the broker answered it: its number, and when it began.
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
    /// Begins a round. Its number.
    pub(crate) fn begin(&mut self, now: Instant) -> u64 {
        self.number += 1;
        if self.rounds.len() == ROUNDS {
            self.rounds.pop_front();
        }
        self.rounds.push_back(Round { number: self.number, began: now, answered: None });
        self.number
    }

    /// The broker took a round, which reached `receivers` subscribers. The generation that is deaf, if the round had to
    /// reach this node and reached no subscriber.
    pub(crate) fn answered(&mut self, number: u64, receivers: i64, now: Instant) -> Option<Generation> {
        // A round that is not there any more was heard already.
        if let Some(round) = self.rounds.iter_mut().find(|round| round.number == number) {
            round.answered = Some(now);
        }
        if let Some((_, began)) = self.heard_first.take_if(|(heard, _)| *heard <= number) {
            self.whole_until = Some(began);
        }
        let is_expected = self.expected_from.is_some_and(|from| from <= number);
        (receivers == 0 && is_expected).then_some(self.generation)
    }

    /// A subscribing connection was opened.
    pub(crate) fn connected(&mut self) -> Generation {
        self.generation.0 += 1;
        self.disconnected();
        self.generation
    }

    /// The subscribing connection is gone.
    pub(crate) fn disconnected(&mut self) {
        (self.expected_from, self.heard) = (None, false);
    }

    /// The canary's subscription is confirmed.
    pub(crate) fn subscribed(&mut self) {
        self.expected_from.get_or_insert(self.number + 1);
    }

    /// The subscriber heard a round. The time that the round was under way.
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

    /// Whether a round was heard on this generation.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard
    }

    /// When the broker took the oldest round that the subscriber must hear and has not heard.
    pub(crate) fn expected_since(&self) -> Option<Instant> {
        let from = self.expected_from?;
        self.rounds.iter().find(|round| round.number >= from && round.answered.is_some())?.answered
    }

    /// The number of the last round that began.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// When the last round began that was heard and answered: messages that the broker took before were delivered. A
    /// demoted master delivers rounds to its own subscribers too. But it does not take the heartbeat before them, so no
    /// answer of its counts.
    pub(crate) fn whole_until(&self) -> Option<Instant> {
        self.whole_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A canary whose subscription is confirmed, and which was not heard yet.
    fn listening() -> (Canary, Instant) {
        let mut canary = Canary::default();
        canary.connected();
        canary.subscribed();
        (canary, Instant::now())
    }

    #[test]
    fn an_answered_round_is_expected_until_heard() {
        let (mut canary, now) = listening();
        let round = canary.begin(now);
        assert_eq!(canary.expected_since(), None, "it is not answered");
        assert_eq!(canary.answered(round, 1, now + SECOND), None);
        assert_eq!(canary.expected_since(), Some(now + SECOND));
        assert_eq!(canary.heard(round, now + 2 * SECOND), Some(2 * SECOND));
        assert_eq!(canary.expected_since(), None);
        assert_eq!(canary.whole_until(), Some(now));
    }

    #[test]
    fn a_round_heard_before_its_answer_is_done() {
        let (mut canary, now) = listening();
        let round = canary.begin(now);
        assert_eq!(canary.heard(round, now), Some(Duration::ZERO));
        assert_eq!(canary.answered(round, 1, now), None);
        assert_eq!(canary.expected_since(), None);
    }

    #[test]
    fn the_oldest_expected_round_counts() {
        let (mut canary, now) = listening();
        let rounds = [0, 1, 2].map(|second| {
            let round = canary.begin(now + second * SECOND);
            canary.answered(round, 1, now + second * SECOND);
            round
        });
        assert_eq!(canary.expected_since(), Some(now));
        canary.heard(rounds[1], now + 3 * SECOND);
        assert_eq!(canary.expected_since(), Some(now + 2 * SECOND), "a later round overtook the first");
        for second in 3..100 {
            let round = canary.begin(now + second * SECOND);
            canary.answered(round, 1, now + second * SECOND);
        }
        assert_eq!(canary.rounds.len(), ROUNDS);
    }

    #[test]
    fn rounds_before_the_subscription_are_not_expected() {
        let mut canary = Canary::default();
        let now = Instant::now();
        let before = canary.begin(now);
        assert_eq!(canary.answered(before, 0, now), None, "there was no subscription");
        canary.connected();
        let between = canary.begin(now);
        canary.subscribed();
        assert_eq!(canary.answered(between, 0, now), None, "it may have run before the SUBSCRIBE");
        assert_eq!(canary.expected_since(), None);
        let after = canary.begin(now);
        assert_eq!(canary.answered(after, 0, now), Some(Generation(1)));
        let generation = canary.connected();
        assert_eq!(canary.answered(after, 0, now), None, "that was another connection");
        assert_eq!((canary.expected_since(), generation), (None, Generation(2)));
    }

    #[test]
    fn a_demoted_masters_unanswered_round_proves_nothing() {
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
    fn each_connection_must_hear_the_canary_anew() {
        let (mut canary, now) = listening();
        let round = canary.begin(now);
        canary.heard(round, now);
        canary.answered(round, 1, now);
        assert!(canary.is_heard());
        canary.disconnected();
        assert!(!canary.is_heard());
        assert_eq!(canary.whole_until(), Some(now), "the last time stays known");
    }
}
