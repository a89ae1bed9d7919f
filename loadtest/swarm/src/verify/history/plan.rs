//! The plan of a check.

use std::time::Duration;

use crate::client::Target;

/// The plan of a check.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The nodes, or a balancer. The channels are numbered ones beside that of the path.
    pub targets: Vec<Target>,
    /// The number in each message of this run.
    pub run: u32,
    /// The key for the HTTP API, if the API wants one.
    pub key: Option<String>,
    /// Channels, which subscribers and publishers go round.
    pub channels: usize,
    /// Clients that listen, and come back with their position.
    pub subscribers: usize,
    /// Callers of the API that publish, one message after another.
    pub publishers: usize,
    /// Messages a second of all publishers together.
    pub rate: f64,
    /// The time of publishing.
    pub lasts: Duration,
    /// The time between two moments at which a tenth of the subscribers drop their connections.
    pub drop_every: Option<Duration>,
    /// The time without any message after which a missing message counts as lost.
    pub patience: Duration,
    /// Whether Redis may lose its memory during the run. Then clients must be told, and messages may be lost.
    pub may_forget: bool,
}
