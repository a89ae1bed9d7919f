//! When a message was published, by the one clock that all nodes can ask: that of Redis.
//!
//! - [`offset`]: how far it is ahead of this node's clock
//! - [`clock_sync`]: sets the offset by the answers to `TIME`

pub(super) mod clock_sync;
pub(super) mod offset;
