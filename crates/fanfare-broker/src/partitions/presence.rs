//! The clients in channels: those of a channel are where the channel is.

use std::sync::Arc;

use fanfare_core::{
    Channel, ClientId, Presence,
    presence::{Entered, NoPresence, OnRemoved, OnReturned, PresenceEntry, PresenceFuture, PresenceStats},
};

use super::placement::Placement;

/// See the head of this file.
pub(super) struct PartitionedPresence {
    pub(super) placement: Arc<Placement>,
    pub(super) presences: Vec<Arc<dyn Presence>>,
}

impl PartitionedPresence {
    fn of(&self, channel: &Channel) -> &dyn Presence {
        // There is one for each partition.
        self.presences
            .get(usize::from(self.placement.of(channel).0))
            .map_or(&NoPresence, |presence| &**presence)
    }
}

impl Presence for PartitionedPresence {
    fn enter(&self, channel: &Channel, entry: PresenceEntry) {
        self.of(channel).enter(channel, entry);
    }

    fn entered(&self, channel: &Channel) -> Option<Entered> {
        self.of(channel).entered(channel)
    }

    fn leave(&self, channel: &Channel, client: ClientId) -> Option<PresenceEntry> {
        self.of(channel).leave(channel, client)
    }

    fn on_removed(&self, removed: OnRemoved) {
        let removed = Arc::new(removed);
        for presence in &self.presences {
            let removed = removed.clone();
            presence.on_removed(Box::new(move |channel, entry| removed(channel, entry)));
        }
    }

    fn on_returned(&self, returned: OnReturned) {
        let returned = Arc::new(returned);
        for presence in &self.presences {
            let returned = returned.clone();
            presence.on_returned(Box::new(move |channel, entry| returned(channel, entry)));
        }
    }

    fn members(&self, channel: &Channel) -> PresenceFuture<Vec<PresenceEntry>> {
        self.of(channel).members(channel)
    }

    fn stats(&self, channel: &Channel) -> PresenceFuture<PresenceStats> {
        self.of(channel).stats(channel)
    }
}
