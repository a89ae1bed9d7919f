//! The sequence check of each publisher: each publication names the last one of its node on its channel that the broker
//! took. So a loss becomes visible with the next publication.
//!
//! Invariants:
//! - A publication names only one whose number of receivers was answered before it was written. So the named one was
//!   lost if a node that was subscribed all the while did not get it. An unanswered publication is not named: the
//!   broker may still refuse it, and take the one behind it.
//! - Where a later publication names one that was dropped as stale, the broker took that one in its turn: a connection
//!   that ends leaves behind only unanswered publications, and they are never named. So the higher sequence that made
//!   it look stale was forged, and is forgotten.
//! - A sender remembers at most [`CHANNELS`] channels, those on which it published last. A receiver remembers at most
//!   [`ORIGINS`] senders per channel.

use std::mem;

use fanfare_core::{Channel, ChannelMap, Incarnation};

/// The most channels that a sender remembers.
const CHANNELS: usize = 16 << 10;
/// The most senders that a receiver remembers per channel.
const ORIGINS: usize = 32;

/// The last publication of this node on each channel that the broker took. Two halves: the older is forgotten when the
/// younger is full, which is nearly least recently used.
#[derive(Debug, Default)]
pub(crate) struct LastTaken {
    young: ChannelMap<u64>,
    old: ChannelMap<u64>,
}

impl LastTaken {
    /// The sequence of the last publication on this channel, if it is known.
    pub(crate) fn of(&self, channel: &Channel) -> Option<u64> {
        self.young.get(channel).or_else(|| self.old.get(channel)).copied()
    }

    /// The broker took the publication of this sequence.
    pub(crate) fn took(&mut self, channel: &Channel, sequence: u64) {
        if let Some(last) = self.young.get_mut(channel) {
            *last = sequence;
            return;
        }
        self.old.remove(channel);
        if self.young.len() >= CHANNELS / 2 {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(channel.clone(), sequence);
    }
}

/// How a publication fits those that came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// No loss is known.
    InOrder,
    /// At least one publication was lost before it.
    AfterGap,
    /// It came already, or a later one of its node did.
    Stale,
    /// An earlier one was dropped because of a forged one.
    AfterForgery,
}

/// The last publication of each node that arrived on one channel, the newest first.
#[derive(Debug, Default)]
pub(crate) struct SequenceCheck(Vec<Last>);

#[derive(Debug)]
struct Last {
    node: Incarnation,
    sequence: u64,
    /// The last one that was dropped as stale.
    stale: Option<u64>,
}

impl SequenceCheck {
    /// A publication arrived.
    pub(crate) fn arrived(&mut self, node: Incarnation, sequence: u64, previous: Option<u64>) -> Arrival {
        let Some(at) = self.0.iter().position(|seen| seen.node == node) else {
            self.0.truncate(ORIGINS - 1);
            self.0.reserve_exact(1);
            self.0.insert(0, Last { node, sequence, stale: None });
            return Arrival::InOrder;
        };
        let Some(seen) = self.0.get_mut(at) else { return Arrival::InOrder };
        let last = seen.sequence;
        let is_forged = sequence < last && previous.is_some() && previous == seen.stale;
        if sequence <= last && !is_forged {
            seen.stale = Some(sequence);
            return Arrival::Stale;
        }
        (seen.sequence, seen.stale) = (sequence, None);
        if let Some(up_to) = self.0.get_mut(..=at) {
            up_to.rotate_right(1);
        }
        match previous {
            _ if is_forged => Arrival::AfterForgery,
            Some(previous) if previous > last => Arrival::AfterGap,
            _ => Arrival::InOrder,
        }
    }

    /// Forgets all: publications may have been missed, and the loss is counted elsewhere.
    pub(crate) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn channel(name: &str) -> Channel {
        Channel::new(name).unwrap()
    }

    #[test]
    fn the_last_taken_of_each_channel_is_known() {
        let mut sent = LastTaken::default();
        let [a, b] = ["a", "b"].map(channel);
        assert_eq!(sent.of(&a), None);
        for (channel, sequence) in [(&a, 1), (&b, 2), (&a, 3)] {
            sent.took(channel, sequence);
        }
        assert_eq!([sent.of(&a), sent.of(&b)], [Some(3), Some(2)]);
    }

    #[test]
    fn a_sender_forgets_channels_it_does_not_use() {
        let mut sent = LastTaken::default();
        let steady = channel("steady");
        sent.took(&steady, 0);
        for number in 1..100_000 {
            sent.took(&channel(&number.to_string()), number);
            assert!(sent.young.len() + sent.old.len() <= CHANNELS);
            if number % 1000 == 0 {
                assert!(sent.of(&steady).is_some(), "{number}");
                sent.took(&steady, number);
            }
        }
        assert_eq!(sent.of(&channel("1")), None);
    }

    #[test]
    fn gaps_and_stale_publications_are_seen() {
        let (mut seen, node) = (SequenceCheck::default(), Incarnation(1));
        let arrivals = [
            (5, Some(4), Arrival::InOrder),
            (7, Some(5), Arrival::InOrder),
            (9, Some(8), Arrival::AfterGap),
            (9, Some(8), Arrival::Stale),
            (8, Some(7), Arrival::Stale),
            (12, None, Arrival::InOrder),
            (13, Some(12), Arrival::InOrder),
        ];
        for (sequence, previous, arrival) in arrivals {
            assert_eq!(seen.arrived(node, sequence, previous), arrival, "{sequence}");
        }
        assert_eq!(seen.arrived(Incarnation(2), 1, Some(0)), Arrival::InOrder, "nodes count by themselves");
        seen.clear();
        assert_eq!(seen.arrived(node, 20, Some(19)), Arrival::InOrder);
    }

    #[test]
    fn a_forged_sequence_costs_one_message() {
        let (mut seen, node) = (SequenceCheck::default(), Incarnation(1));
        for (sequence, previous, arrival) in [
            (5, None, Arrival::InOrder),
            (1000, Some(5), Arrival::InOrder),
            (6, Some(5), Arrival::Stale),
            (7, Some(6), Arrival::AfterForgery),
            (8, Some(7), Arrival::InOrder),
            // Two were under way at once.
            (2000, None, Arrival::InOrder),
            (9, Some(8), Arrival::Stale),
            (10, Some(8), Arrival::Stale),
            (11, Some(10), Arrival::AfterForgery),
            (12, Some(11), Arrival::InOrder),
        ] {
            assert_eq!(seen.arrived(node, sequence, previous), arrival, "{sequence}");
        }
    }

    #[test]
    fn leftovers_of_an_old_connection_stay_stale() {
        let (mut seen, node) = (SequenceCheck::default(), Incarnation(1));
        seen.arrived(node, 5, None);
        // 6 to 8 were not answered when their connection ended, and run behind 9.
        assert_eq!(seen.arrived(node, 9, Some(5)), Arrival::InOrder);
        for late in 6..9 {
            assert_eq!(seen.arrived(node, late, Some(5)), Arrival::Stale);
        }
        assert_eq!(seen.arrived(node, 10, Some(9)), Arrival::InOrder);
    }

    #[test]
    fn a_receiver_remembers_the_senders_it_heard_last() {
        let mut seen = SequenceCheck::default();
        for round in 1..10 {
            assert_ne!(seen.arrived(Incarnation(0), round, Some(round - 1)), Arrival::AfterGap);
            for node in 1..ORIGINS as u64 {
                seen.arrived(Incarnation(round * 1000 + node), 1, None);
            }
            assert_eq!(seen.0.len(), ORIGINS);
        }
        assert_eq!(seen.arrived(Incarnation(0), 11, Some(10)), Arrival::AfterGap);
    }

    /// The fate of the first publication that is under way.
    #[derive(Debug, Clone)]
    enum Step {
        Write,
        Taken,
        Refused,
        /// The connection ends, and this number of those under way were taken without an answer.
        Cut(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Write),
            2 => Just(Step::Taken),
            1 => Just(Step::Refused),
            1 => (0usize..4).prop_map(Step::Cut),
        ]
    }

    proptest! {
        /// No loss is seen without a loss, whatever is refused, and however many are under way.
        #[test]
        fn a_receiver_of_everything_misses_nothing(steps in prop::collection::vec(step(), 0..100)) {
            let (mut sent, mut seen, node, channel) =
                (LastTaken::default(), SequenceCheck::default(), Incarnation(1), channel("c"));
            let (mut sequence, mut under_way) = (0, VecDeque::new());
            for step in steps {
                let (answered, delivered) = match step {
                    Step::Write => {
                        sequence += 1;
                        under_way.push_back((sequence, sent.of(&channel)));
                        continue;
                    }
                    Step::Taken => (under_way.pop_front(), None),
                    Step::Refused => {
                        under_way.pop_front();
                        continue;
                    }
                    Step::Cut(taken) => (None, Some(mem::take(&mut under_way).into_iter().take(taken))),
                };
                for (sequence, previous) in answered.into_iter().chain(delivered.into_iter().flatten()) {
                    prop_assert_eq!(seen.arrived(node, sequence, previous), Arrival::InOrder);
                }
                answered.into_iter().for_each(|(sequence, _)| sent.took(&channel, sequence));
            }
        }
    }
}
