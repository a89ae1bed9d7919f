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
    /// A publication of these channels, which their histories do not have.
    for_good: HashSet<Channel>,
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

    /// Publications of this channel were missed that its history does not have.
    pub(crate) fn for_good_on(&self, channel: &Channel) {
        self.lost.lock().for_good.insert(channel.clone());
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
        self.partitions.is_empty() && self.channels.is_empty() && self.for_good.is_empty()
    }

    /// The channels with history that lost publications for good.
    pub(crate) fn for_good(&self) -> &HashSet<Channel> {
        &self.for_good
    }

    /// Whether the sessions in this channel are to be closed for it. A channel with a tail (`heals`) is healed after an
    /// interruption: it lost only what is noted for it alone. What such a channel lost for good counts here only for a
    /// session that cannot be told of one channel (`can_be_told`).
    pub(crate) fn closes(
        &self,
        namespaces: &Namespaces,
        broker: &dyn Broker,
        channel: &Channel,
        heals: impl FnOnce(&Channel) -> bool,
        can_be_told: bool,
    ) -> bool {
        let was_interrupted = || self.partitions.contains(&broker.partition_of(channel)) && !heals(channel);
        let is_for_good = || !can_be_told && self.for_good.contains(channel);
        closes(namespaces, channel) && (self.channels.contains(channel) || is_for_good() || was_interrupted())
    }
}

/// Whether the sessions in this channel are to be closed once they missed a publication.
pub(crate) fn closes(namespaces: &Namespaces, channel: &Channel) -> bool {
    namespaces.of(channel).on_interruption == OnInterruption::Close
}
