//! What the hub counts. A relaxed counter is all that the hot path pays.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The hub's metrics; registered once, at the composition root.
pub struct HubMetrics {
    /// Sessions that are not over.
    pub connections: IntGauge,
    /// Sessions that ended, by reason.
    pub closed: IntCounterVec,
    /// Publications that came from clients.
    pub messages_received: IntCounter,
    /// Publications handed to subscribers: one for each of them.
    pub deliveries: IntCounter,
    /// Publications that arrived for a channel that has no subscriber here (any more).
    pub unheard: IntCounter,
    /// Control messages that came faster than they could be read.
    pub control_dropped: IntCounter,
    /// Other nodes that live and have this node's name.
    pub namesakes: IntGauge,
}

impl HubMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name, help| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let connections = IntGauge::new("fanfare_connections", "Open sessions")?;
        registry.register(Box::new(connections.clone()))?;
        let namesakes =
            IntGauge::new("fanfare_node_name_conflicts", "Other live nodes that have this node's name")?;
        registry.register(Box::new(namesakes.clone()))?;
        let closed = Opts::new("fanfare_sessions_closed_total", "Sessions that ended, by reason");
        let closed = IntCounterVec::new(closed, &["reason"])?;
        registry.register(Box::new(closed.clone()))?;
        Ok(Self {
            connections,
            closed,
            namesakes,
            messages_received: counter(
                "fanfare_messages_received_total",
                "Publications that came from clients",
            )?,
            deliveries: counter(
                "fanfare_deliveries_total",
                "Publications handed to subscribers, one for each of them",
            )?,
            unheard: counter(
                "fanfare_publications_unheard_total",
                "Publications for channels without a subscriber here",
            )?,
            control_dropped: counter(
                "fanfare_control_messages_dropped_total",
                "Control messages that came faster than they were read",
            )?,
        })
    }
}
