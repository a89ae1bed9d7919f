//! What a broker has to know of its node, and what its driver starts.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Broker, Incarnation, Limits, Registry};

/// How long an entry of the node registry lives without being announced again.
pub const TIME_TO_LIVE: Duration = Duration::from_secs(10);

/// What a broker has to know of its node.
#[derive(Debug, Clone)]
pub struct Node {
    /// This run of it.
    pub incarnation: Incarnation,
    /// Of these it keeps `message_bytes`, `publish_wait` and `goodbye`.
    pub limits: Limits,
}

/// What a driver starts.
pub(crate) type Parts = (Arc<dyn Broker>, Arc<dyn Registry>);
