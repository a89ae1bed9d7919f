//! What the hub counts. A relaxed counter is all that the hot path pays.

use fanfare_core::broker::Interruption;
use prometheus::{Counter, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The hub's metrics; registered once, at the composition root.
pub struct HubMetrics {
    /// Sessions that are not over.
    pub connections: IntGauge,
    /// Sessions that ended, by reason.
    pub closed: IntCounterVec,
    /// 1 from the moment the node was told to end, else 0.
    pub draining: IntGauge,
    /// Sessions that are to be closed at a pace, and were not told yet.
    pub closing: IntGauge,
    /// Publications that came from clients.
    pub messages_received: IntCounter,
    /// Publications handed to subscribers: one for each of them.
    pub deliveries: IntCounter,
    /// Publications that arrived for a channel that has no subscriber here (any more).
    pub unheard: IntCounter,
    /// Control messages that came faster than they could be read.
    pub control_dropped: IntCounter,
    /// Times that publications may have been missed, by cause.
    interruptions: IntCounterVec,
    /// For how many seconds, counted when they are over.
    pub interruption_seconds: Counter,
    /// Losses that were seen outside of them.
    pub missed: IntCounter,
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
        let gauge = |name, help| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let closed = Opts::new("fanfare_sessions_closed_total", "Sessions that ended, by reason");
        let closed = IntCounterVec::new(closed, &["reason"])?;
        registry.register(Box::new(closed.clone()))?;
        let interruptions = Opts::new(
            "fanfare_broker_interruptions_total",
            "Times from which publications may have been missed, by cause",
        );
        let interruptions = IntCounterVec::new(interruptions, &["reason"])?;
        registry.register(Box::new(interruptions.clone()))?;
        for cause in Interruption::ALL {
            interruptions.with_label_values(&[cause.name()]);
        }
        let interruption_seconds = Counter::new(
            "fanfare_broker_interruption_seconds_total",
            "Seconds in which publications may have been missed, counted when they are over",
        )?;
        registry.register(Box::new(interruption_seconds.clone()))?;
        Ok(Self {
            interruptions,
            interruption_seconds,
            missed: counter(
                "fanfare_publications_missed_total",
                "Gaps in what other nodes sent to a channel, outside of interruptions: a loss of one or more each",
            )?,
            connections: gauge("fanfare_connections", "Open sessions")?,
            closed,
            draining: gauge("fanfare_draining", "1 once the node was told to end, else 0")?,
            closing: gauge("fanfare_sessions_to_close", "Sessions that wait to be closed at a pace")?,
            namesakes: gauge("fanfare_node_name_conflicts", "Other live nodes that have this node's name")?,
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

    /// How many interruptions there were for this cause.
    #[must_use]
    pub fn interruptions(&self, cause: Interruption) -> u64 {
        self.interruptions.with_label_values(&[cause.name()]).get()
    }

    /// An interruption begins.
    pub(crate) fn interrupted(&self, cause: Interruption) {
        self.interruptions.with_label_values(&[cause.name()]).inc();
    }
}
