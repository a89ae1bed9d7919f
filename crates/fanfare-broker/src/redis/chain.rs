//! What makes a loss visible: each publication names the one of its node that came before it on its channel.
//!
//! Invariants:
//! - A publication names only one that was written before it on the same connection, so what it names was lost if
//!   a node that was subscribed all the while did not get it.
//! - At most [`CHANNELS`] channels are remembered by a sender, those it published on last, and at most [`ORIGINS`]
//!   senders per channel by a receiver.

use std::{collections::HashMap, mem};

use fanfare_core::{Channel, Incarnation};

/// How many channels a sender remembers.
const CHANNELS: usize = 16 << 10;
/// How many senders a receiver remembers per channel.
const ORIGINS: usize = 32;

/// The last publication of this node on each channel. Two halves, of which the older is forgotten when the younger
/// is full: least recently used, nearly.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    young: HashMap<Channel, u64>,
    old: HashMap<Channel, u64>,
}

impl Sent {
    /// A publication of this sequence is written; the sequence of the one before it, if it is known.
    pub(crate) fn next(&mut self, channel: &Channel, sequence: u64) -> Option<u64> {
        if let Some(last) = self.young.get_mut(channel) {
            return Some(mem::replace(last, sequence));
        }
        let previous = self.old.remove(channel);
        if self.young.len() >= CHANNELS / 2 {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(channel.clone(), sequence);
        previous
    }

    /// What was written last may not have arrived: nothing names it.
    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
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
}

/// The last publication of each node that arrived on one channel, the latest first.
#[derive(Debug, Default)]
pub(crate) struct Seen(Vec<(Incarnation, u64)>);

impl Seen {
    /// A publication arrived.
    pub(crate) fn arrived(&mut self, node: Incarnation, sequence: u64, previous: Option<u64>) -> Arrival {
        let Some(at) = self.0.iter().position(|(seen, _)| *seen == node) else {
            self.0.truncate(ORIGINS - 1);
            self.0.reserve_exact(1);
            self.0.insert(0, (node, sequence));
            return Arrival::InOrder;
        };
        let Some((_, last)) = self.0.get_mut(at) else { return Arrival::InOrder };
        if sequence <= *last {
            return Arrival::Stale;
        }
        let last = mem::replace(last, sequence);
        if let Some(up_to) = self.0.get_mut(..=at) {
            up_to.rotate_right(1);
        }
        if previous.is_some_and(|previous| previous > last) { Arrival::AfterGap } else { Arrival::InOrder }
    }

    /// Something may have been missed, and is counted otherwise.
    pub(crate) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> Channel {
        Channel::new(name).unwrap()
    }

    #[test]
    fn each_names_the_one_before_it_on_its_channel() {
        let mut sent = Sent::default();
        let [a, b] = ["a", "b"].map(channel);
        let named: Vec<_> =
            [(&a, 1), (&b, 2), (&a, 3), (&a, 4), (&b, 5)].map(|(c, n)| sent.next(c, n)).to_vec();
        assert_eq!(named, [None, None, Some(1), Some(3), Some(2)]);
        sent.clear();
        assert_eq!(sent.next(&a, 6), None);
    }

    #[test]
    fn a_sender_remembers_the_channels_it_uses_and_not_all_of_them() {
        let mut sent = Sent::default();
        let steady = channel("steady");
        sent.next(&steady, 0);
        for number in 1..100_000 {
            sent.next(&channel(&number.to_string()), number);
            assert!(sent.young.len() + sent.old.len() <= CHANNELS);
            if number % 1000 == 0 {
                assert!(sent.next(&steady, number).is_some(), "{number}");
            }
        }
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
}
