//! The clients of one channel whose entries are to be written. No I/O.
//!
//! Invariants
//! - A client waits once, in the order in which the clients began to wait. Its newest entry is the one to be written.
//! - Each waits with what is known of its entry in Redis. A client that left without ever having had one does not wait.

use std::collections::{BTreeMap, HashMap};

use fanfare_core::ClientId;

/// Whether Redis has an entry of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Stored {
    /// It has none.
    Not,
    /// It may have one, of now or of before.
    Maybe,
    /// The same, and another node may have removed it, and told that the client left.
    Removed,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Pending {
    clients: HashMap<ClientId, (u64, Stored)>,
    /// By the number of each in `clients`.
    order: BTreeMap<u64, ClientId>,
    next: u64,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// A client waits. What is known of one that waits already stays.
    pub(super) fn add(&mut self, client: ClientId, stored: Stored) {
        let number = self.next;
        self.clients.entry(client).or_insert_with(|| {
            self.order.insert(number, client);
            self.next += 1;
            (number, stored)
        });
    }

    /// A client waits whose entry was written before.
    pub(super) fn add_again(&mut self, client: ClientId, stored: Stored) {
        if self.get(client) != Some(Stored::Not) {
            self.set(client, self.get(client).map_or(stored, |known| known.max(stored)));
        }
    }

    /// A client waits, and more is known of its entry now.
    pub(super) fn set(&mut self, client: ClientId, stored: Stored) {
        self.add(client, stored);
        if let Some((_, known)) = self.clients.get_mut(&client) {
            *known = stored;
        }
    }

    /// The knowledge of a client that waits.
    pub(super) fn get(&self, client: ClientId) -> Option<Stored> {
        self.clients.get(&client).map(|(_, stored)| *stored)
    }

    pub(super) fn remove(&mut self, client: ClientId) {
        if let Some((number, _)) = self.clients.remove(&client) {
            self.order.remove(&number);
        }
    }

    /// Takes those that wait for longest.
    pub(super) fn take(&mut self, most: usize) -> Vec<(ClientId, Stored)> {
        let mut taken = Vec::with_capacity(most.min(self.clients.len()));
        while taken.len() < most
            && let Some((_, client)) = self.order.pop_first()
        {
            taken.extend(self.clients.remove(&client).map(|(_, stored)| (client, stored)));
        }
        taken
    }
}
