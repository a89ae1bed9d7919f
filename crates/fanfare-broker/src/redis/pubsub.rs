//! The words of Pub/Sub: the plain ones, or those of a Cluster with sharded Pub/Sub.

/// See the head of this file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum PubSub {
    /// A message goes to all subscribers: in a Cluster, over its bus to all nodes.
    #[default]
    Plain,
    /// A message stays with the nodes that have the slot of its channel: Redis 7.
    Sharded,
}

impl PubSub {
    /// The command that does the same as this plain one.
    pub(crate) fn word(self, plain: &'static str) -> &'static str {
        match (self, plain) {
            (Self::Sharded, "PUBLISH") => "SPUBLISH",
            (Self::Sharded, "SUBSCRIBE") => "SSUBSCRIBE",
            (Self::Sharded, "UNSUBSCRIBE") => "SUNSUBSCRIBE",
            (_, plain) => plain,
        }
    }

    /// The field of CLIENT INFO with the number of subscriptions.
    pub(crate) fn count(self) -> &'static str {
        match self {
            Self::Plain => "sub",
            Self::Sharded => "ssub",
        }
    }
}
