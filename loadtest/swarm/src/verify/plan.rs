//! The plan of a check.

use std::time::Duration;

use crate::client::Target;

/// The plan of a check.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The nodes; clients are spread over them evenly.
    pub targets: Vec<Target>,
    /// Clients that only listen.
    pub subscribers: usize,
    /// Clients that publish, and listen too.
    pub publishers: usize,
    /// Messages of each publisher.
    pub messages: usize,
    /// The seed for the clients' nodes and the messages' contents.
    pub seed: u64,
    /// The time without any message after which a missing message counts as lost.
    pub patience: Duration,
}
