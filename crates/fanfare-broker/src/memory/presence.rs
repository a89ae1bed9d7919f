//! The clients in the channels of a node that is alone.

use std::collections::{BTreeMap, HashMap};

use fanfare_core::{
    Channel, ClientId, Presence,
    presence::{PresenceEntry, PresenceFuture, PresenceStats},
};
use parking_lot::Mutex;
use prometheus::IntGauge;

use crate::presence::stats;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct MemoryPresence {
    channels: Mutex<HashMap<Channel, BTreeMap<ClientId, PresenceEntry>>>,
    entries: IntGauge,
}

impl MemoryPresence {
    pub(super) fn new(entries: IntGauge) -> Self {
        Self { channels: Mutex::default(), entries }
    }
}

impl Presence for MemoryPresence {
    fn enter(&self, channel: &Channel, entry: PresenceEntry) {
        let replaced = self.channels.lock().entry(channel.clone()).or_default().insert(entry.client, entry);
        if replaced.is_none() {
            self.entries.inc();
        }
    }

    fn leave(&self, channel: &Channel, client: ClientId) -> Option<PresenceEntry> {
        let mut channels = self.channels.lock();
        let entries = channels.get_mut(channel)?;
        let left = entries.remove(&client)?;
        self.entries.dec();
        if entries.is_empty() {
            channels.remove(channel);
        }
        Some(left)
    }

    fn members(&self, channel: &Channel) -> PresenceFuture<Vec<PresenceEntry>> {
        let channels = self.channels.lock();
        let members = channels.get(channel).map(|entries| entries.values().cloned().collect());
        Box::pin(std::future::ready(Ok(members.unwrap_or_default())))
    }

    fn stats(&self, channel: &Channel) -> PresenceFuture<PresenceStats> {
        let channels = self.channels.lock();
        let stats = channels.get(channel).map(|entries| stats(entries.values())).unwrap_or_default();
        Box::pin(std::future::ready(Ok(stats)))
    }
}
