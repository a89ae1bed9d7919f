//! The outbox of a node that is alone: the events that wait end with the node.

use std::{future::ready, sync::Arc, time::Duration};

use fanfare_core::{
    Channel, Outbox,
    outbox::{ConnectionEnd, Event, EventId, OutboxError, OutboxFuture, Waiting, WantsEvents},
};

use super::{events::Events, presence::MemoryPresence};

/// See the head of this file.
pub(super) struct MemoryOutbox {
    pub(super) events: Arc<Events>,
    /// Members make their events there.
    pub(super) presence: Arc<MemoryPresence>,
}

impl Outbox for MemoryOutbox {
    fn members_of(&self, wants: WantsEvents) {
        self.presence.members_of(wants);
    }

    fn occupy(&self, channel: &Channel, is_occupied: bool) {
        self.presence.occupy(channel, is_occupied);
    }

    fn disconnected(&self, end: ConnectionEnd) {
        self.events.push(Event::Disconnected(end));
    }

    fn next(&self, most: usize, _: Duration) -> OutboxFuture<Option<Waiting>> {
        Box::pin(ready(Ok(Some(self.events.oldest(most)))))
    }

    fn remove(&self, up_to: &EventId) -> OutboxFuture<u64> {
        let left = self.events.remove(up_to);
        Box::pin(ready(left.ok_or_else(|| OutboxError("not an event".to_owned()))))
    }

    fn release(&self) -> OutboxFuture<()> {
        Box::pin(ready(Ok(())))
    }

    fn bury(&self) -> OutboxFuture<()> {
        Box::pin(ready(Ok(())))
    }
}
