//! The messages in flight, and the number of subscribers that each has not reached.
//!
//! Invariant: `window` holds the messages that some subscriber lacks, in the order they were sent; the first of them
//! is number `completed`. Every subscriber gets them in that order, so they are completed in it too.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    client,
    clock::Moment,
    latency::{Latencies, Latency},
};

#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    completed: Notify,
}

#[derive(Debug)]
struct State {
    completed: u64,
    window: VecDeque<Flight>,
    latencies: Latencies,
    has_strays: bool,
}

#[derive(Debug)]
struct Flight {
    sent: Moment,
    missing: usize,
}

impl Progress {
    pub(super) fn new() -> Self {
        let latencies = Latencies::default();
        let state = State { completed: 0, window: VecDeque::new(), latencies, has_strays: false };
        Self { state: Mutex::new(state), completed: Notify::new() }
    }

    /// Notes that the next message is about to be sent.
    pub(super) fn sent(&self, subscribers: usize) {
        self.state.lock().window.push_back(Flight { sent: Moment::now(), missing: subscribers });
    }

    /// Notes that a subscriber has read its message of this number.
    pub(super) fn arrived(&self, number: u64) {
        let mut state = self.state.lock();
        let place = number.checked_sub(state.completed).and_then(|place| usize::try_from(place).ok());
        let Some(flight) = place.and_then(|place| state.window.get_mut(place)) else {
            state.has_strays = true;
            return self.completed.notify_one();
        };
        flight.missing = flight.missing.saturating_sub(1);
        let (latency, is_complete) = (client::read_at().since(flight.sent), flight.missing == 0);
        state.latencies.record(latency);
        if is_complete {
            state.window.pop_front();
            state.completed += 1;
            self.completed.notify_one();
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.state.lock().window.len()
    }

    /// Waits until a message has been completed since the last call.
    pub(super) async fn completed(&self) {
        self.completed.notified().await;
    }

    /// Whether more messages came than were sent.
    pub(super) fn has_strays(&self) -> bool {
        self.state.lock().has_strays
    }

    /// The subscribers that the oldest message in flight has not reached, in words.
    pub(super) fn missing(&self) -> String {
        let state = self.state.lock();
        let missing = state.window.front().map_or(0, |flight| flight.missing);
        format!("message {} has not reached {missing} subscribers", state.completed)
    }

    pub(super) fn forget_latencies(&self) {
        self.state.lock().latencies.clear();
    }

    pub(super) fn latency(&self) -> Latency {
        self.state.lock().latencies.summary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_flight_until_all_subscribers_have_it() {
        let progress = Progress::new();
        progress.sent(2);
        progress.sent(2);
        for (number, left) in [(0, 2), (1, 2), (0, 1), (1, 0)] {
            progress.arrived(number);
            assert_eq!(progress.in_flight(), left);
        }
        assert!(!progress.has_strays());
        assert_eq!(progress.state.lock().latencies.count(), 4);
    }

    #[test]
    fn a_message_that_was_not_sent_is_found() {
        let progress = Progress::new();
        progress.sent(1);
        progress.arrived(0);
        progress.arrived(1);
        assert!(progress.has_strays());
    }

    #[test]
    fn missing_receipts_are_named() {
        let progress = Progress::new();
        progress.sent(3);
        progress.arrived(0);
        assert_eq!(progress.missing(), "message 0 has not reached 2 subscribers");
    }
}
