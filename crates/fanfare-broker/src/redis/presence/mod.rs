//! Presence in Redis: a hash for each channel, with a field for each client, written by the client's node.
//!
//! A node's entries count as long as its heartbeat key lives, which is ten seconds. So no entry of a node that died has
//! to be found, and a node refreshes a channel's expiry, not that of each client.
//!
//! - `local`: the entries of this node, and the changes that were not written yet
//! - `value`: an entry as bytes
//! - `task`: writes the changes
//! - `reader`: reads the entries of all nodes, and removes those of dead ones

mod local;
mod reader;
mod task;
mod value;

/// The most clients of one command or pipeline: Redis does nothing else meanwhile.
pub(crate) const BATCH: usize = 500;

pub(crate) use reader::RedisPresence;
pub(crate) use task::PresenceWriter;

pub(crate) use local::Local;
