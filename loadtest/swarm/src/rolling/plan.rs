//! The plan of a restart, and the bounds of the times.

use std::time::Duration;

use crate::client::Target;

/// The plan of a restart.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The balancer. The channels are numbered ones beside its own.
    pub target: Target,
    /// Clients that reconnect.
    pub clients: usize,
    /// Channels that the clients go round.
    pub channels: usize,
    /// Messages a second to all channels together.
    pub rate: f64,
    /// Whether the channels have history, and clients come back with the position of their last message.
    pub history: bool,
    /// The key for the HTTP API, if the API wants one.
    pub key: Option<String>,
    /// The program that restarts the nodes, with its arguments.
    pub command: Vec<String>,
    /// The time to wait for clients to be back, and for missing messages.
    pub patience: Duration,
    /// The bounds of the times.
    pub bounds: Bounds,
}

/// The bounds of the times. Without them times are not judged: a busy machine keeps none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// The pace of the drain, in clients a second: reconnects never come twice as fast.
    pub pace: Option<u32>,
    /// The longest time that a client may be away.
    pub away: Option<Duration>,
}
