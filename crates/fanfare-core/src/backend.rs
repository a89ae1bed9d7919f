//! The parts of a broker that a hub uses.

use std::sync::Arc;

use crate::{
    Broker, History, Presence, Revocations, history::NoHistory, presence::NoPresence,
    revocation::NoRevocations,
};

/// See the head of this file. All of them are of one broker.
#[derive(Clone)]
pub struct Backend {
    /// Carries publications.
    pub broker: Arc<dyn Broker>,
    /// Keeps publications.
    pub history: Arc<dyn History>,
    /// Lists the clients in channels.
    pub presence: Arc<dyn Presence>,
    /// Keeps revoked tokens.
    pub revocations: Arc<dyn Revocations>,
}

impl Backend {
    /// A broker that only carries publications.
    #[must_use]
    pub fn without_memory(broker: Arc<dyn Broker>) -> Self {
        let (history, presence) = (Arc::new(NoHistory), Arc::new(NoPresence));
        Self { broker, history, presence, revocations: Arc::new(NoRevocations) }
    }
}
