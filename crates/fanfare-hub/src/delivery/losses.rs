//! Publications that may have been missed, until the sessions concerned are looked for.
//!
//! Invariant: the broker's task only notes a loss here, and goes on.

use std::collections::HashSet;

use fanfare_core::{Broker, Channel, Namespaces, OnInterruption, Partition};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Losses that were not looked at yet.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    lost: Mutex<Lost>,
    noted: Notify,
}

/// The publications that may have been missed.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// A publication of any channel of these partitions.
    partitions: HashSet<Partition>,
    /// A publication of these channels. Only channels whose sessions are to be closed, so there are at most as many as
    /// subscribed channels.
    channels: HashSet<Channel>,
}

impl Losses {
    /// A publication of any channel of this partition may have been missed.
    pub(crate) fn on_partition(&self, partition: Partition) {
        self.lost.lock().partitions.insert(partition);
        self.noted.notify_one();
    }

    /// A publication of this channel was missed.
    pub(crate) fn on(&self, channel: &Channel) {
        self.lost.lock().channels.insert(channel.clone());
        self.noted.notify_one();
    }

    /// The losses since the last call, once there are some.
    pub(crate) async fn next(&self) -> Lost {
        self.noted.notified().await;
        std::mem::take(&mut *self.lost.lock())
    }
}

impl Lost {
    pub(crate) fn is_empty(&self) -> bool {
        self.partitions.is_empty() && self.channels.is_empty()
    }

    /// Whether the sessions in this channel are to be closed for it. A channel with a tail (`heals`) is healed after an
    /// interruption: it lost only what is noted for it alone.
    pub(crate) fn closes(
        &self,
        namespaces: &Namespaces,
        broker: &dyn Broker,
        channel: &Channel,
        heals: impl FnOnce(&Channel) -> bool,
    ) -> bool {
        let was_interrupted = || self.partitions.contains(&broker.partition_of(channel)) && !heals(channel);
        closes(namespaces, channel) && (self.channels.contains(channel) || was_interrupted())
    }
}

/// Whether the sessions in this channel are to be closed once they missed a publication.
pub(crate) fn closes(namespaces: &Namespaces, channel: &Channel) -> bool {
    namespaces.of(channel).on_interruption == OnInterruption::Close
}
