//! The histories of channels in Redis. The publisher's script writes them.
//!
//! - `reader`: reads and removes them; its scripts are beside it
//! - `entry`: one publication that is kept

mod entry;
pub(super) mod reader;
