//! The broker that the node sees: it hands each channel to its partition.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use fanfare_core::{
    Broker, Channel, Partition, Publish, SubscribeError,
    broker::{BrokerState, Done, Recipient, SubscribeFuture},
};

use super::{controls::Controls, placement::Placement};
use crate::redis::RedisBroker;

/// The most servers: one bit each in [`PartitionedBroker::seen`].
pub(crate) const MAX_SERVERS: usize = 64;

/// See the head of this file.
pub(super) struct PartitionedBroker {
    pub(super) names: Vec<String>,
    pub(super) placement: Arc<Placement>,
    pub(super) brokers: Vec<Arc<RedisBroker>>,
    pub(super) controls: Controls,
    /// A bit for each partition that was up since the start.
    pub(super) seen: AtomicU64,
}

impl PartitionedBroker {
    fn of(&self, channel: &Channel) -> Option<&RedisBroker> {
        self.at(self.placement.of(channel))
    }

    fn at(&self, partition: Partition) -> Option<&RedisBroker> {
        self.brokers.get(usize::from(partition.0)).map(|broker| &**broker)
    }
}

impl Broker for PartitionedBroker {
    fn publish(&self, publish: Publish, done: Done) {
        // There is a broker for each partition.
        if let Some(broker) = self.of(&publish.channel) {
            broker.publish(publish, done);
        }
    }

    fn subscribe(&self, channel: &Channel) -> SubscribeFuture {
        match self.of(channel) {
            Some(broker) => broker.subscribe(channel),
            None => Box::pin(std::future::ready(Err(SubscribeError::Unavailable))),
        }
    }

    fn unsubscribe(&self, channel: &Channel) {
        if let Some(broker) = self.of(channel) {
            broker.unsubscribe(channel);
        }
    }

    fn control(&self, to: Recipient, message: Bytes) {
        self.controls.send(to, &message);
    }

    fn partitions(&self) -> u16 {
        u16::try_from(self.brokers.len()).unwrap_or(u16::MAX)
    }

    fn partition_of(&self, channel: &Channel) -> Partition {
        self.placement.of(channel)
    }

    fn partition_name(&self, partition: Partition) -> Option<&str> {
        self.names.get(usize::from(partition.0)).map(String::as_str)
    }

    fn server(&self, partition: Partition) -> Option<String> {
        self.at(partition)?.server_here()
    }

    fn state(&self, partition: Partition) -> BrokerState {
        self.at(partition).map_or(BrokerState::Away, RedisBroker::state_here)
    }

    fn is_ready(&self) -> bool {
        let up = (0..).zip(&self.brokers).filter(|(_, broker)| broker.state_here() == BrokerState::Up);
        let up = up.fold(0, |up, (at, _): (u32, _)| up | 1 << at);
        let seen = self.seen.fetch_or(up, Ordering::AcqRel) | up;
        let all = u64::MAX >> (u64::BITS - u32::from(self.partitions()));
        up != 0 && seen == all
    }
}
