//! The plan of a measurement.

use std::time::Duration;

use crate::connection_pool::origin::Origin;

/// The time for a server to return the memory of its handshakes: jemalloc's decay takes half a second, other allocators
/// take a few.
pub const REST: Duration = Duration::from_secs(5);

/// The plan of a measurement.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the connections come from.
    pub origin: Origin,
    /// The servers' processes. Without any, their CPU and memory are not measured.
    pub pids: Vec<u32>,
    /// Connections to open.
    pub connections: usize,
    /// The time between the last handshake and the reading of memory.
    pub rest: Duration,
    /// The time after that in which CPU is measured.
    pub watch: Duration,
}

impl Plan {
    /// Memory only, of one server process.
    #[must_use]
    pub fn of_memory(origin: Origin, pid: u32, connections: usize) -> Self {
        Self { origin, pids: vec![pid], connections, rest: REST, watch: Duration::ZERO }
    }
}
