//! Tasks that look after sessions and the node while messages flow.
//!
//! - [`heartbeat`]: pings clients, and ends the sessions of those that do not answer
//! - [`slow`], [`budget`]: the bytes that wait for sockets, their bounds, and the clients that pass them
//! - [`stall`]: notices a shard that does not go on
//! - `reload`: limits and namespaces that change at run time
//! - [`cluster`], `duplicate_names`: the nodes of the cluster, and those that have this node's name

pub mod budget;
pub mod cluster;
pub(crate) mod duplicate_names;
pub mod heartbeat;
pub(crate) mod reload;
pub mod slow;
pub mod stall;
