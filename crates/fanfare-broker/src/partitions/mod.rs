//! Several servers of Redis, or parts of a Redis Cluster, as one broker: each is a partition with its own connections,
//! canary, fence and state.
//!
//! - `placement`: the partition of a channel
//! - `start`: starts all of them; `cluster`: those of a Cluster
//! - `broker`: what the node sees; `controls`: messages between nodes
//! - `history`, `presence`, `outbox`: those of a channel follow the channel
//! - `registry`, `revocations`: those of a node are on all partitions
//! - `metrics`: the series of each partition
//!
//! Nothing of a node as a whole depends on one partition:
//!
//! | of a node | is on | while one partition of three is away |
//! |---|---|---|
//! | registry | all | read from the others |
//! | control messages | two that are up | sent through the others |
//! | revocations | all: a majority counts | kept and read by the majority |

mod broker;
mod cluster;
mod controls;
mod history;
mod metrics;
mod outbox;
mod placement;
mod presence;
mod registry;
mod revocations;
mod start;

pub(crate) use broker::MAX_SERVERS;
pub use cluster::slot_of;
pub(crate) use cluster::start_cluster;
pub(crate) use placement::Placement;
pub(crate) use start::start;
