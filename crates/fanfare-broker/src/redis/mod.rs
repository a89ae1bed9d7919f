//! Redis Pub/Sub as the broker: two connections of our own, each owned by one task, and small pools for the
//! registry and the histories.
//!
//! - `start`: makes the parts, and starts both tasks; `broker`: what the node sees of them
//! - [`connection`]: one connection, from the URL to the answers of Redis
//! - `publisher`: the way out
//! - `subscriber`: the way in
//! - `history`: reads what is kept
//! - `registry`: which nodes there are, and the envelope version that all of them read
//! - `presence`: the clients in channels; `revocations`: revoked tokens; `outbox`: events for the
//!   operator's backend
//! - `clock`: when a message was published, by the one clock that all nodes can ask
//! - `switches`: hears from Sentinels of another master
//! - `server`: which server a connection leads to
//! - [`names`]: the names of channels and keys; [`pubsub`]: the words of Pub/Sub
//! - [`cluster`]: where the slots of a Cluster are
//! - [`metrics`]: the metrics of Redis

mod broker;
mod clock;
pub(crate) mod cluster;
pub(crate) mod connection;
mod history;
pub(crate) mod metrics;
pub(crate) mod names;
mod outbox;
mod presence;
mod publisher;
pub(crate) mod pubsub;
mod registry;
mod revocations;
mod server;
mod start;
mod subscriber;
mod switches;

pub(crate) use broker::RedisBroker;
pub(crate) use start::{PartitionContext, RedisParts, start};
