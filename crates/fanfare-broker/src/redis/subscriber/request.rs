//! Requests of the node, the publisher and the registry to the subscriber.

use std::time::{Duration, Instant};

use fanfare_core::{Channel, SubscribeError};
use tokio::sync::oneshot;

use super::table::entry::Waiter;
use crate::liveness::canary::Generation;

/// The way of the answer to a subscribe.
pub(crate) type Confirmation = oneshot::Sender<Result<(), SubscribeError>>;

impl Waiter for Confirmation {
    fn is_gone(&self) -> bool {
        self.is_closed()
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) enum Request {
    Subscribe(Channel, Confirmation),
    Unsubscribe(Channel),
    /// A publication on this channel, handed over at that time, reached no subscriber.
    Unheard(Channel, Instant),
    /// Some nodes were on another server than this one for so long, and this node did not notice.
    Split(Duration),
    /// The connection is to be replaced.
    Replace(Replace),
}

/// Why a connection is to be replaced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Replace {
    /// A round of the canary reached no subscriber, while this generation was subscribed.
    Deaf(Generation),
    /// Redis answers nothing on the other connection.
    Silent(Duration),
    /// Redis is a replica now.
    Demoted,
    /// Another node of the Cluster has the partition.
    Moved,
    /// The name of Redis leads to another server.
    Split,
}
