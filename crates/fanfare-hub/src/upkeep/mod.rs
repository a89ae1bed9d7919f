//! Tasks that look after sessions and the node while messages flow.
//!
//! - [`heartbeat`], `wheel`: ping clients, and end the sessions of those that do not answer
//! - [`slow`], `watched`, [`budget`]: the bytes that wait for sockets, their bounds, and the clients that pass them
//! - `message_bounds`: ends sessions whose unfinished messages take too long, or too much memory
//! - [`stall`]: notices a shard that does not go on
//! - [`settings`]: limits and namespaces, which change at run time
//! - [`cluster`], `duplicate_names`: the nodes of the cluster, and those that have this node's name
//! - [`ghosts`]: tells subscribers of the clients of nodes that died

pub mod budget;
pub mod cluster;
pub(crate) mod duplicate_names;
pub mod ghosts;
pub mod heartbeat;
pub(crate) mod message_bounds;
pub mod settings;
pub mod slow;
pub mod stall;
pub(crate) mod watched;
pub(crate) mod wheel;
