//! The order of the control messages of other nodes, where a message comes through several partitions. No I/O, no clock.
//!
//! Invariant: the messages of one sender are passed on once at most, in the order in which it sent them. A message that
//! comes behind a later one is dropped.

use std::collections::HashMap;

use fanfare_core::Incarnation;
use parking_lot::Mutex;

/// The number of senders past which those are forgotten that sent nothing for the longest.
const SENDERS: usize = 4096;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct ControlOrder(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The last sequence of each sender, and when it came.
    last: HashMap<Incarnation, (u64, u64)>,
    /// The number of messages so far.
    count: u64,
}

impl ControlOrder {
    /// Passes a message on if it is the next one of its sender.
    ///
    /// This runs `pass` under the lock: the task of another partition cannot pass a later message on between the check and
    /// the call.
    pub(crate) fn pass_next(&self, from: Incarnation, sequence: u64, pass: impl FnOnce()) {
        let State { last, count } = &mut *self.0.lock();
        *count += 1;
        if last.get(&from).is_some_and(|(last, _)| sequence <= *last) {
            return;
        }
        last.insert(from, (sequence, *count));
        if last.len() > SENDERS {
            let mut times: Vec<_> = last.values().map(|(_, at)| *at).collect();
            let (_, median, _) = times.select_nth_unstable(SENDERS / 2);
            let median = *median;
            last.retain(|_, (_, at)| *at > median);
        }
        pass();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a message passes.
    fn passes(order: &ControlOrder, from: Incarnation, sequence: u64) -> bool {
        let mut is_passed = false;
        order.pass_next(from, sequence, || is_passed = true);
        is_passed
    }

    #[test]
    fn a_message_passes_once_and_in_order() {
        let order = ControlOrder::default();
        let [a, b] = [1, 2].map(Incarnation);
        let passed = [(a, 1), (a, 1), (a, 2), (b, 1), (a, 4), (a, 3), (a, 5), (b, 1)];
        let passed = passed.map(|(from, sequence)| passes(&order, from, sequence));
        assert_eq!(passed, [true, false, true, true, true, false, true, false]);
    }

    #[test]
    fn senders_are_bounded() {
        let order = ControlOrder::default();
        for sender in 0..3 * SENDERS as u64 {
            assert!(passes(&order, Incarnation(sender), 7));
        }
        assert!(order.0.lock().last.len() <= SENDERS);
        assert!(!passes(&order, Incarnation(3 * SENDERS as u64 - 1), 7), "the last one is known");
    }
}
