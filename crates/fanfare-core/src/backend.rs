//! The parts of a broker that a hub uses.

use std::sync::Arc;

use crate::{Broker, History, Presence, history::NoHistory, presence::NoPresence};

/// See the head of this file. All of them are of one broker.
#[derive(Clone)]
pub struct Backend {
    /// Carries publications.
    pub broker: Arc<dyn Broker>,
    /// Keeps publications.
    pub history: Arc<dyn History>,
    /// Lists the clients in channels.
    pub presence: Arc<dyn Presence>,
}

impl Backend {
    /// A broker that neither keeps publications nor lists clients.
    #[must_use]
    pub fn without_memory(broker: Arc<dyn Broker>) -> Self {
        Self { broker, history: Arc::new(NoHistory), presence: Arc::new(NoPresence) }
    }
}
