//! The node with history, and its clients.

use crate::servers::{Redis, Setup};

/// The messages that a client that recovers is behind.
pub(super) const BEHIND: u64 = 100;

/// The namespace with history. It keeps what a client that recovers wants.
const KEPT: &str =
    "[[namespace]]\nname = \"kept\"\nhistory_size = 200\nhistory_ttl = \"1h\"\nhistory = \"anonymous\"\n";

/// The node's count of history reads for clients that recover.
pub(super) const READS: &str = "fanfare_history_reads_total{purpose=\"recover\"}";

/// The setup of a node on this Redis, with a namespace that has history.
pub(super) fn setup(redis: &Redis, core: Option<String>) -> Setup {
    Setup { toml: KEPT.to_owned(), ..redis.setup(core) }
}

/// The channels of publishes, with one member each.
pub(super) const ROOMS: usize = 200;
