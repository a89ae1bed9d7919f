//! Publications that wait for the node.

use fanfare_core::{Publish, broker::PublishOrder};
use tokio::time::Instant;

use crate::{
    fair_queue::{FairQueue, OVERHEAD, Waiting},
    ticket::Ticket,
};

/// The most bytes of the server's publications that may wait.
const MAX_WAITING: usize = 64 << 20;

/// A publish that waits.
pub(super) struct WaitingPublish(pub(super) Publish, pub(super) Ticket);

impl Waiting for WaitingPublish {
    fn order(&self) -> Option<&PublishOrder> {
        self.1.order()
    }

    fn cost(&self) -> usize {
        self.0.bytes() + OVERHEAD
    }

    fn since(&self) -> Instant {
        self.1.since()
    }
}

impl WaitingPublish {
    /// The bytes that it takes of the server's share.
    fn servers_bytes(&self) -> usize {
        if self.order().is_none() { self.cost() } else { 0 }
    }
}

/// All publications that wait, by turns.
///
/// Invariant: those of the server are bounded.
#[derive(Default)]
pub(super) struct Queue {
    waiting: FairQueue<WaitingPublish>,
    /// The bytes of the server's.
    bytes: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes one more. An error is the ticket of a publish for which the server's share has no room.
    pub(super) fn push(&mut self, waits: WaitingPublish) -> Result<(), Ticket> {
        let bytes = self.bytes + waits.servers_bytes();
        if waits.order().is_none() && bytes > MAX_WAITING {
            return Err(waits.1);
        }
        self.bytes = bytes;
        self.waiting.push(waits);
        Ok(())
    }

    /// The next one.
    pub(super) fn pop(&mut self) -> Option<WaitingPublish> {
        let waits = self.waiting.pop()?;
        self.bytes -= waits.servers_bytes();
        Some(waits)
    }

    /// All of them.
    pub(super) fn into_all(self) -> impl Iterator<Item = WaitingPublish> {
        self.waiting.into_all()
    }
}
