//! Sends control messages.
//!
//! Invariants:
//! - Each message is sent through two partitions that are up, where there are two: so one that fails without a sign costs
//!   nobody a message. The recipients keep the order, and drop the second copy ([`ControlOrder`](crate::control_order)).
//! - The sequences of this node rise in the order in which its messages enter the queues.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::broker::{BrokerState, Recipient};
use parking_lot::Mutex;

use crate::redis::RedisBroker;

/// The number of partitions that a message is sent through.
const COPIES: usize = 2;

/// See the head of this file.
pub(super) struct Controls {
    /// Beginning with this node's own choice, so that the load is spread.
    brokers: Vec<Arc<RedisBroker>>,
    sequence: Mutex<u64>,
}

impl Controls {
    /// For a node that is this number among all.
    pub(super) fn new(mut brokers: Vec<Arc<RedisBroker>>, number: u64) -> Self {
        let first = number % brokers.len().max(1) as u64;
        brokers.rotate_left(usize::try_from(first).unwrap_or_default());
        Self { brokers, sequence: Mutex::default() }
    }

    pub(super) fn send(&self, to: Recipient, message: &Bytes) {
        let mut through: Vec<_> = self.brokers.iter().collect();
        // Stable: the node's own choice decides among those that are up.
        through.sort_by_key(|broker| broker.state_here() != BrokerState::Up);
        let mut sequence = self.sequence.lock();
        *sequence += 1;
        for broker in through.into_iter().take(COPIES) {
            broker.send_control(to, message.clone(), Some(*sequence));
        }
    }
}
