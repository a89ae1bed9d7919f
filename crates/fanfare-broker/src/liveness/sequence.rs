//! What makes a loss visible: each publication names the last one of its node on its channel that Redis took.
//!
//! Invariants:
//! - A publication names only one that Redis had answered with a number of receivers when it was written, so what it
//!   names was lost if a node that was subscribed all the while did not get it. What was written and not answered is
//!   not named: Redis may refuse it yet, and take what is behind it.
//! - A publication that was dropped as stale and is named by a later one was taken in its turn after all: a connection
//!   that ends leaves behind only what was not answered, and that is never named. So the higher sequence that made it
//!   look stale was forged, and is forgotten.
//! - At most [`CHANNELS`] channels are remembered by a sender, those it published on last, and at most [`ORIGINS`]
//!   senders per channel by a receiver.

use std::{collections::HashMap, mem};

use fanfare_core::{Channel, Incarnation};

/// How many channels a sender remembers.
const CHANNELS: usize = 16 << 10;
/// How many senders a receiver remembers per channel.
const ORIGINS: usize = 32;

/// The last publication of this node on each channel that Redis took. Two halves, of which the older is forgotten when
/// the younger is full: least recently used, nearly.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    young: HashMap<Channel, u64>,
    old: HashMap<Channel, u64>,
}

impl Sent {
    /// The sequence of the last one on this channel, if it is known.
    pub(crate) fn last(&self, channel: &Channel) -> Option<u64> {
        self.young.get(channel).or_else(|| self.old.get(channel)).copied()
    }

    /// Redis took the publication of this sequence.
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

/// How a publication stands to those that came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Nothing is known to lie between.
    InOrder,
    /// At least one was lost before it.
    AfterGap,
    /// It, or a later one of its node, was here already.
    Stale,
    /// An earlier one was dropped for the sake of one that was forged.
    AfterForgery,
}

/// The last publication of each node that arrived on one channel, the latest first.
#[derive(Debug, Default)]
pub(crate) struct Seen(Vec<Last>);

#[derive(Debug)]
struct Last {
    node: Incarnation,
    sequence: u64,
    /// The last that was dropped as stale.
    stale: Option<u64>,
}

impl Seen {
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

    /// Something may have been missed, and is counted otherwise.
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
    fn the_last_of_each_channel_that_was_taken_is_known() {
        let mut sent = Sent::default();
        let [a, b] = ["a", "b"].map(channel);
        assert_eq!(sent.last(&a), None);
        for (channel, sequence) in [(&a, 1), (&b, 2), (&a, 3)] {
            sent.took(channel, sequence);
        }
        assert_eq!([sent.last(&a), sent.last(&b)], [Some(3), Some(2)]);
    }

    #[test]
    fn a_sender_remembers_the_channels_it_uses_and_not_all_of_them() {
        let mut sent = Sent::default();
        let steady = channel("steady");
        sent.took(&steady, 0);
        for number in 1..100_000 {
            sent.took(&channel(&number.to_string()), number);
            assert!(sent.young.len() + sent.old.len() <= CHANNELS);
            if number % 1000 == 0 {
                assert!(sent.last(&steady).is_some(), "{number}");
                sent.took(&steady, number);
            }
        }
        assert_eq!(sent.last(&channel("1")), None);
    }

    #[test]
    fn gaps_are_seen_and_what_comes_late_or_twice_is_stale() {
        let (mut seen, node) = (Seen::default(), Incarnation(1));
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
    fn a_forged_sequence_mutes_its_node_for_one_message() {
        let (mut seen, node) = (Seen::default(), Incarnation(1));
        for (sequence, previous, arrival) in [
            (5, None, Arrival::InOrder),
            (1000, Some(5), Arrival::InOrder),
            (6, Some(5), Arrival::Stale),
            (7, Some(6), Arrival::AfterForgery),
            (8, Some(7), Arrival::InOrder),
            // Several were under way at once.
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
    fn what_an_old_connection_left_behind_stays_stale() {
        let (mut seen, node) = (Seen::default(), Incarnation(1));
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
        let mut seen = Seen::default();
        for round in 1..10 {
            assert_ne!(seen.arrived(Incarnation(0), round, Some(round - 1)), Arrival::AfterGap);
            for node in 1..ORIGINS as u64 {
                seen.arrived(Incarnation(round * 1000 + node), 1, None);
            }
            assert_eq!(seen.0.len(), ORIGINS);
        }
        assert_eq!(seen.arrived(Incarnation(0), 11, Some(10)), Arrival::AfterGap);
    }

    /// What becomes of the first publication that is under way.
    #[derive(Debug, Clone)]
    enum Step {
        Write,
        Taken,
        Refused,
        /// The connection ends, and so many of those under way were taken without an answer.
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
        /// Whatever Redis refuses, and however many are under way: no loss is seen where there was none.
        #[test]
        fn who_gets_all_that_was_taken_misses_nothing(steps in prop::collection::vec(step(), 0..100)) {
            let (mut sent, mut seen, node, channel) =
                (Sent::default(), Seen::default(), Incarnation(1), channel("c"));
            let (mut sequence, mut under_way) = (0, VecDeque::new());
            for step in steps {
                let (answered, delivered) = match step {
                    Step::Write => {
                        sequence += 1;
                        under_way.push_back((sequence, sent.last(&channel)));
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
