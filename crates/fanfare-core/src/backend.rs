//! The parts of a broker that a hub uses.

use std::sync::Arc;

use crate::{
    Broker, History, Outbox, Presence, Revocations, history::NoHistory, outbox::NoOutbox,
    presence::NoPresence, revocation::NoRevocations,
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
    /// Keeps events for the operator's backend.
    pub outbox: Arc<dyn Outbox>,
}

impl Backend {
    /// A broker that only carries publications.
    #[must_use]
    pub fn without_memory(broker: Arc<dyn Broker>) -> Self {
        let (history, presence) = (Arc::new(NoHistory), Arc::new(NoPresence));
        let (revocations, outbox) = (Arc::new(NoRevocations), Arc::new(NoOutbox));
        Self { broker, history, presence, revocations, outbox }
    }
}
