//! What waits for the node.

use fanfare_core::{Publish, broker::PublishOrder};
use tokio::time::Instant;

use crate::{
    fair::{Fair, OVERHEAD, Waiting},
    ticket::Ticket,
};

/// How many bytes of what the server publishes may wait for the node.
const MAX_WAITING: usize = 64 << 20;

/// A publish that waits.
pub(super) struct Waits(pub(super) Publish, pub(super) Ticket);

impl Waiting for Waits {
    fn order(&self) -> Option<&PublishOrder> {
        self.1.order()
    }

    fn cost(&self) -> usize {
        self.0.payload.len() + OVERHEAD
    }

    fn since(&self) -> Instant {
        self.1.since()
    }
}

impl Waits {
    /// What it takes of the server's share.
    fn servers_bytes(&self) -> usize {
        if self.order().is_none() { self.cost() } else { 0 }
    }
}

/// All that wait, by turns. Invariant: those of the server are bounded.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Fair<Waits>,
    /// Of the server's.
    bytes: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes one more, or gives it back where the server's share is used up.
    pub(super) fn push(&mut self, waits: Waits) -> Result<(), Ticket> {
        let bytes = self.bytes + waits.servers_bytes();
        if waits.order().is_none() && bytes > MAX_WAITING {
            return Err(waits.1);
        }
        self.bytes = bytes;
        self.waiting.push(waits);
        Ok(())
    }

    /// The one whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Waits> {
        let waits = self.waiting.pop()?;
        self.bytes -= waits.servers_bytes();
        Some(waits)
    }

    /// All of them.
    pub(super) fn into_all(self) -> impl Iterator<Item = Waits> {
        self.waiting.into_all()
    }
}
