//! The hub as other crates see it: one handle for each task.

use std::sync::Arc;

use fanfare_core::{Broker, CriticalTasks, Decoder, History, Presence, Tracer};

use crate::{
    calls::gather::Calls,
    ending::{drain::Drain, goodbye::Goodbyes, interruption::Interruptions},
    metrics::HubMetrics,
    session::{
        events::ClientEvents, hooking::Hooking, identities::Identities, inbound::Inbound, intake::Intake,
        publisher::Publisher, revoked::RevokedTokens, sessions::Sessions, state::Session,
        subscriptions::Subscriptions, writer::Writer,
    },
    upkeep::{
        budget::Budget,
        ghosts::Ghosts,
        settings::Settings,
        stall::{Stall, StallReport},
    },
};

/// The handles of a hub.
pub struct Hub {
    /// Opens sessions, and puts them on transports.
    pub sessions: Sessions,
    /// Hands publishes to the broker.
    pub publisher: Arc<Publisher>,
    /// Subscribes sessions to channels.
    pub subscriptions: Arc<Subscriptions>,
    /// Sends messages to sessions.
    pub writer: Arc<Writer>,
    /// Ends sessions.
    pub goodbyes: Arc<Goodbyes>,
    /// Ends many sessions at a pace.
    pub drain: Arc<Drain>,
    /// Closes sessions that may have missed publications.
    pub interruptions: Arc<Interruptions>,
    /// Limits and namespaces.
    pub settings: Settings,
    pub(crate) intake: Arc<Intake>,
    pub(crate) broker: Arc<dyn Broker>,
    /// Calls about clients of all nodes.
    pub calls: Arc<Calls>,
    /// The tokens that are not good any more.
    pub revoked: Arc<RevokedTokens>,
    /// Verifies the tokens of clients.
    pub identities: Arc<Identities>,
    /// Asks the operator's backend about clients.
    pub hooking: Arc<Hooking>,
    /// Tells the operator's backend what clients do.
    pub events: Arc<ClientEvents>,
    /// Keeps publications. Removes them from this node's tails too, not from those of other nodes.
    pub history: Arc<dyn History>,
    /// Lists the clients in channels.
    pub presence: Arc<dyn Presence>,
    /// Looks for clients of nodes that died.
    pub ghosts: Arc<Ghosts>,
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) metrics: Arc<HubMetrics>,
    pub(crate) stall_report: Arc<StallReport>,
    /// The shards' ticks and heartbeats, and the tasks that keep the bounds of memory.
    pub(crate) critical_tasks: CriticalTasks,
}

impl Hub {
    /// Ends when one of the hub's tasks has ended, which they never do by themselves. Then sessions get nothing any
    /// more, or too much memory is held for them.
    pub async fn failed(&self) {
        self.critical_tasks.ended().await;
    }

    /// The way in of a session, for the reader of its transport, or for its requests.
    #[must_use]
    pub fn inbound(&self, session: Arc<Session>, decoder: Box<dyn Decoder>) -> Inbound {
        Inbound::new(self.intake.clone(), session, decoder)
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> &HubMetrics {
        &self.metrics
    }

    /// The broker.
    #[must_use]
    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.broker
    }

    /// The tracer, where the node has one.
    #[must_use]
    pub fn tracer(&self) -> Option<&dyn Tracer> {
        self.tracer.as_deref()
    }

    /// The budget of bytes that wait for sockets.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// The shards that stand still.
    #[must_use]
    pub fn stall(&self) -> Stall {
        self.stall_report.get()
    }
}
