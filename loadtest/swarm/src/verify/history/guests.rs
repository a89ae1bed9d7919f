//! Clients of another program, numbered from 0. Their notes stand in the same ledger, behind those of this program, so one
//! judge judges all.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{ledger::Fate, notes::Notes, plan::Plan};
use crate::position::Position;

/// The notes of such clients.
#[derive(Debug, Clone)]
pub struct Guests {
    pub(super) plan: Plan,
    pub(super) channels: Vec<(String, Position)>,
    pub(super) notes: Arc<Mutex<Notes>>,
    pub(super) drops: watch::Receiver<f64>,
    /// The places of the first client and of the first publisher in the ledger.
    pub(super) first: (usize, usize),
}

impl Guests {
    /// Clients of one more program, whose places are behind these many clients and publishers.
    #[must_use]
    pub fn behind(&self, clients: usize, publishers: usize) -> Self {
        Self { first: (self.first.0 + clients, self.first.1 + publishers), ..self.clone() }
    }

    /// The channel of a client, and the position from which the client wants all.
    #[must_use]
    pub fn place(&self, client: usize) -> Option<&(String, Position)> {
        self.at(self.first.0 + client)
    }

    /// The channel of a publisher.
    #[must_use]
    pub fn channel(&self, publisher: usize) -> Option<&str> {
        self.at(self.first.1 + publisher).map(|(channel, _)| channel.as_str())
    }

    fn at(&self, number: usize) -> Option<&(String, Position)> {
        self.channels.get(number % self.channels.len().max(1))
    }

    /// The payload of a message without its last word, the number of the message. A publisher counts from 0.
    #[must_use]
    pub fn payload(&self, publisher: usize) -> String {
        format!("{} {} ", self.plan.run, self.first.1 + publisher)
    }

    /// The part of the clients that drop their connections, each time that it is set.
    #[must_use]
    pub fn drops(&self) -> watch::Receiver<f64> {
        self.drops.clone()
    }

    /// Notes the next message of a client.
    pub fn hears(&self, client: usize, payload: &str) {
        let name = self.plan.name(payload.as_bytes());
        self.notes.lock().ledger.hears(self.first.0 + client, name);
    }

    /// Notes that a client was told that its position cannot be recovered: it begins anew.
    pub fn begins_anew(&self, client: usize, since: Position) {
        self.notes.lock().ledger.begins_anew(self.first.0 + client, since);
    }

    /// Notes that a client was warned of missed messages. `messages` came since it subscribed.
    pub fn warns(&self, client: usize, messages: usize) {
        let (ledger, client) = (&mut self.notes.lock().ledger, self.first.0 + client);
        let from = ledger.heard_by(client).saturating_sub(messages);
        ledger.warns(client, from);
    }

    /// Notes that a publisher has sent its next message, and whether the message was acknowledged.
    pub fn published(&self, publisher: usize, is_taken: bool) {
        let ledger = &mut self.notes.lock().ledger;
        let name = ledger.sends(self.first.1 + publisher);
        ledger.has(name, if is_taken { Fate::Taken } else { Fate::Unknown });
    }

    /// Notes the end of a connection.
    pub fn ended(&self, reason: String) {
        *self.notes.lock().ends.entry(reason).or_default() += 1;
    }

    /// Notes a fault that the messages do not show.
    pub fn wrong(&self, sentence: String) {
        self.notes.lock().wrong(sentence);
    }
}
