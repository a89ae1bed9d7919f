//! The events for the operator's backend: those of a channel are where the channel is, and the ends of connections
//! are on the first partition: while it is away, they wait in their nodes.
//!
//! Invariant: the id of an event names its partition. The events of one partition are in its order; partitions take turns.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fanfare_core::{
    Channel, Outbox,
    outbox::{ConnectionEnd, EventId, NoOutbox, OutboxError, OutboxFuture, Waiting, WantsEvents},
};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::placement::Placement;

/// How long the answer of a partition is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// See the head of this file.
pub(super) struct PartitionedOutbox {
    placement: Arc<Placement>,
    /// Each with the name of its partition.
    partitions: Arc<[(String, Arc<dyn Outbox>)]>,
    /// The place of the partition that is read first next time.
    turn: AtomicUsize,
}

impl PartitionedOutbox {
    /// For all nodes the same.
    pub(super) fn new(
        placement: Arc<Placement>,
        partitions: impl IntoIterator<Item = (String, Arc<dyn Outbox>)>,
    ) -> Self {
        Self { placement, partitions: partitions.into_iter().collect(), turn: AtomicUsize::new(0) }
    }

    fn at(&self, at: usize) -> &dyn Outbox {
        // There is one for each partition.
        self.partitions.get(at).map_or(&NoOutbox, |(_, outbox)| &**outbox)
    }

    /// Asks all at once. The first error, if there is one.
    fn all(&self, ask: impl Fn(&dyn Outbox) -> OutboxFuture<()>) -> OutboxFuture<()> {
        let asked: Vec<_> = self.partitions.iter().map(|(_, outbox)| within(ask(&**outbox))).collect();
        Box::pin(async move { join_all(asked).await.into_iter().collect() })
    }
}

async fn within<T>(asked: OutboxFuture<T>) -> Result<T, OutboxError> {
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(OutboxError("no answer in time".to_owned())))
}

fn named(id: &EventId, partition: &str) -> EventId {
    EventId(format!("{}@{partition}", id.0))
}

impl Outbox for PartitionedOutbox {
    fn members_of(&self, wants: WantsEvents) {
        let wants = Arc::new(wants);
        for (_, outbox) in &*self.partitions {
            let wants = wants.clone();
            outbox.members_of(Box::new(move |channel| wants(channel)));
        }
    }

    fn occupy(&self, channel: &Channel, is_occupied: bool) {
        self.at(usize::from(self.placement.of(channel).0)).occupy(channel, is_occupied);
    }

    fn disconnected(&self, end: ConnectionEnd) {
        self.at(0).disconnected(end);
    }

    /// The events of the next partition that has some and whose right is this node's.
    fn next(&self, most: usize, hold: Duration) -> OutboxFuture<Option<Waiting>> {
        let (partitions, first) = (self.partitions.clone(), self.turn.fetch_add(1, Ordering::Relaxed));
        Box::pin(async move {
            let (mut is_mine, mut failed) = (false, Vec::new());
            let by_turns = partitions.iter().cycle().skip(first % partitions.len().max(1));
            for (name, outbox) in by_turns.take(partitions.len()) {
                match within(outbox.next(most, hold)).await {
                    Ok(Some(Waiting { mut events, last: Some(last), count })) => {
                        for event in &mut events {
                            event.id = named(&event.id, name);
                        }
                        return Ok(Some(Waiting { events, last: Some(named(&last, name)), count }));
                    }
                    Ok(found) => is_mine |= found.is_some(),
                    Err(error) => failed.push(error),
                }
            }
            match failed.pop() {
                Some(error) if failed.len() + 1 == partitions.len() => Err(error),
                _ => Ok(is_mine.then(Waiting::default)),
            }
        })
    }

    fn remove(&self, up_to: &EventId) -> OutboxFuture<u64> {
        let found = up_to.0.rsplit_once('@').and_then(|(id, name)| {
            let (_, outbox) = self.partitions.iter().find(|(of, _)| of == name)?;
            Some(outbox.remove(&EventId(id.to_owned())))
        });
        found.unwrap_or_else(|| Box::pin(std::future::ready(Ok(0))))
    }

    fn release(&self) -> OutboxFuture<()> {
        self.all(|outbox| outbox.release())
    }

    fn bury(&self) -> OutboxFuture<()> {
        self.all(|outbox| outbox.bury())
    }
}
