//! What the brokers count. Every label has few values, all of them named here.

use std::sync::Arc;

use fanfare_core::broker::BrokerState;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::envelope::EnvelopeError;

/// Bounds of the buckets of round trips, in seconds.
const ROUND_TRIPS: [f64; 11] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 3.0, 10.0];

/// Counters of one node's broker.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) subscriptions: IntGauge,
    pub(crate) received: IntCounter,
    pub(crate) foreign: IntCounter,
    pub(crate) out_of_order: IntCounter,
    pub(crate) controls_dropped: IntCounter,
    pub(crate) unfenced_reconnects: IntCounter,
    pub(crate) mismatches: IntCounter,
    pub(crate) subscriptions_forbidden: IntCounter,
    pub(crate) round_trip: Histogram,
    pub(crate) registry_malformed: IntCounter,
    states: IntGaugeVec,
    publishes: IntCounterVec,
    taken: IntCounter,
    dropped: IntCounterVec,
    reconnects: IntCounterVec,
}

/// Why a message from the broker was not relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// Its envelope is not understood.
    Envelope(EnvelopeError),
    /// An envelope of this kind has no place on that channel.
    Misplaced,
    /// Its payload is said to be text and is not.
    NotUtf8,
    /// It is longer than the message limit.
    TooLong,
}

impl Dropped {
    fn label(self) -> &'static str {
        match self {
            Self::Envelope(EnvelopeError::Version(_)) => "version",
            Self::Envelope(EnvelopeError::Kind(_)) => "kind",
            Self::Envelope(EnvelopeError::Length) => "length",
            Self::Envelope(EnvelopeError::Field(_)) => "field",
            Self::Misplaced => "misplaced",
            Self::NotUtf8 => "not_utf8",
            Self::TooLong => "too_long",
        }
    }
}

impl Metrics {
    /// Makes the counters and registers them.
    ///
    /// # Errors
    /// Where `registry` has counters of these names already.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Arc<Self>> {
        let counter = |name, help| registered(registry, IntCounter::new(name, help)?);
        let gauge = |name, help| registered(registry, IntGauge::new(name, help)?);
        let labelled =
            |name, help, label| registered(registry, IntCounterVec::new(Opts::new(name, help), &[label])?);
        let publishes =
            labelled("fanfare_broker_publishes_total", "Publications handed to the broker", "result")?;
        Ok(Arc::new(Self {
            states: registered(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "fanfare_broker_state",
                        "1 for what the broker can do now: up, away (takes nothing) or deaf (delivers nothing)",
                    ),
                    &["state"],
                )?,
            )?,
            subscriptions: gauge("fanfare_broker_subscriptions", "Channels this node asked the broker for")?,
            received: counter("fanfare_broker_messages_received_total", "Publications from the broker")?,
            foreign: counter(
                "fanfare_broker_foreign_messages_total",
                "Publications from the broker without an envelope of ours",
            )?,
            out_of_order: counter(
                "fanfare_publications_out_of_order_total",
                "Publications dropped because they, or a later one of their node, had come already",
            )?,
            controls_dropped: counter(
                "fanfare_broker_controls_dropped_total",
                "Control messages to other nodes that the broker did not take",
            )?,
            unfenced_reconnects: counter(
                "fanfare_redis_unfenced_reconnects_total",
                "Reconnects of the publisher before which the old connection could not be killed",
            )?,
            mismatches: counter(
                "fanfare_redis_resubscriptions_total",
                "Times that Redis held other subscriptions than this node's table",
            )?,
            subscriptions_forbidden: counter(
                "fanfare_redis_subscriptions_forbidden_total",
                "Subscriptions that the ACL of Redis forbids",
            )?,
            round_trip: registered(
                registry,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "fanfare_redis_round_trip_seconds",
                        "From the publish of a message of this node to itself until it was heard, once a second",
                    )
                    .buckets(ROUND_TRIPS.to_vec()),
                )?,
            )?,
            registry_malformed: counter(
                "fanfare_redis_registry_malformed_total",
                "Entries of the node registry that could not be read",
            )?,
            taken: publishes.with_label_values(&["taken"]),
            publishes,
            dropped: labelled(
                "fanfare_broker_messages_dropped_total",
                "Messages from the broker that were not relayed",
                "reason",
            )?,
            reconnects: labelled(
                "fanfare_redis_reconnects_total",
                "Connections to Redis after the first",
                "connection",
            )?,
        }))
    }

    /// What the broker can do now.
    pub(crate) fn state(&self, now: BrokerState) {
        for state in BrokerState::ALL {
            self.states.with_label_values(&[state.name()]).set(i64::from(state == now));
        }
    }

    pub(crate) fn taken(&self) {
        self.taken.inc();
    }

    pub(crate) fn refused(&self) {
        self.publishes.with_label_values(&["refused"]).inc();
    }

    pub(crate) fn unknown(&self) {
        self.publishes.with_label_values(&["unknown"]).inc();
    }

    pub(crate) fn dropped(&self, why: Dropped) {
        self.dropped.with_label_values(&[why.label()]).inc();
    }

    /// `connection`: which of the connections, by its name in logs.
    pub(crate) fn reconnected(&self, connection: &'static str) {
        self.reconnects.with_label_values(&[connection]).inc();
    }
}

fn registered<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
