//! What the hub counts. A relaxed counter is all that the hot path pays.

use fanfare_core::{Disconnect, Rate};
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The hub's metrics; registered once, at the composition root.
pub struct HubMetrics {
    /// Sessions that are not over.
    pub connections: IntGauge,
    /// Sessions that ended, by reason.
    pub closed: IntCounterVec,
    /// How often a limit refused, cut or held up something, by the name of the limit.
    pub limits_hit: IntCounterVec,
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

/// A bound that a session came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::message_bytes`](fanfare_core::Limits::message_bytes)
    MessageBytes,
    /// [`Limits::frames_per_second`](fanfare_core::Limits::frames_per_second)
    FramesPerSecond,
    /// [`Limits::bytes_per_second`](fanfare_core::Limits::bytes_per_second)
    BytesPerSecond,
    /// [`Limits::channels_per_connection`](fanfare_core::Limits::channels_per_connection)
    ChannelsPerConnection,
    /// [`Limits::unanswered_publishes`](fanfare_core::Limits::unanswered_publishes) or the bytes of them: the
    /// session was not read for a while.
    Unanswered,
    /// [`Limits::outbound_bytes`](fanfare_core::Limits::outbound_bytes)
    OutboundBytes,
}

impl Limit {
    /// The limit that ended a session, if one did.
    fn of(disconnect: &Disconnect) -> Option<Self> {
        match disconnect {
            Disconnect::MessageTooBig { .. } => Some(Self::MessageBytes),
            Disconnect::RateLimited(Rate::Frames(_)) => Some(Self::FramesPerSecond),
            Disconnect::RateLimited(Rate::Bytes(_)) => Some(Self::BytesPerSecond),
            Disconnect::Slow => Some(Self::OutboundBytes),
            _ => None,
        }
    }

    /// The word for it: a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MessageBytes => "message_bytes",
            Self::FramesPerSecond => "frames_per_second",
            Self::BytesPerSecond => "bytes_per_second",
            Self::ChannelsPerConnection => "channels_per_connection",
            Self::Unanswered => "unanswered_publishes",
            Self::OutboundBytes => "outbound_bytes",
        }
    }
}

impl HubMetrics {
    /// A limit did its work.
    pub fn limit_hit(&self, limit: Limit) {
        self.limits_hit.with_label_values(&[limit.name()]).inc();
    }

    /// A session ended.
    pub(crate) fn session_ended(&self, disconnect: &Disconnect) {
        self.connections.dec();
        self.closed.with_label_values(&[disconnect.name()]).inc();
        if let Some(limit) = Limit::of(disconnect) {
            self.limit_hit(limit);
        }
    }

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
        let limits_hit = Opts::new(
            "fanfare_limits_hit_total",
            "How often a limit refused, cut or held up something, by limit",
        );
        let limits_hit = IntCounterVec::new(limits_hit, &["limit"])?;
        registry.register(Box::new(limits_hit.clone()))?;
        Ok(Self {
            connections,
            closed,
            limits_hit,
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
