//! When something was published, by the one clock that all nodes can ask: that of Redis.
//!
//! - [`offset`]: how far it is ahead of this node's
//! - [`timekeeper`]: what becomes of the answers to `TIME`

pub(super) mod offset;
pub(super) mod timekeeper;
