//! The node of a broker, and the parts that a driver starts.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Backend, Incarnation, Limits, Registry};

/// How long an entry of the node registry lives after its last announcement.
pub const TIME_TO_LIVE: Duration = Duration::from_secs(10);

/// The node of a broker.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Its limits. A broker keeps `message_bytes`, `publish_wait` and `goodbye`.
    pub limits: Limits,
}

/// The parts that a driver starts.
pub(crate) type Parts = (Backend, Arc<dyn Registry>);
