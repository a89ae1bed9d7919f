//! The metrics of every broker. Those of Redis alone are in `redis/metrics.rs`. Each label has few values. All of them
//! are named here, and are there from the start.

use std::time::Duration;

use fanfare_core::broker::BrokerState;
use fanfare_metrics::Registrar;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use crate::envelope::EnvelopeError;

/// Counters of one node's broker.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) subscriptions: IntGauge,
    pub(crate) received: IntCounter,
    pub(crate) foreign: IntCounter,
    pub(crate) out_of_order: IntCounter,
    pub(crate) controls_refused: IntCounter,
    pub(crate) kept: IntCounter,
    pub(crate) duplicates: IntCounter,
    /// The broker in memory counts it.
    pub(crate) evicted: IntCounter,
    pub(crate) presence_entries: IntGauge,
    pub(crate) events_dropped: IntCounter,
    states: IntGaugeVec,
    taken: Histogram,
    refused: Histogram,
    unknown: Histogram,
    dropped: IntCounterVec,
    distrusted: IntCounterVec,
}

/// Why a message from the broker was not relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// Its envelope is not understood.
    Envelope(EnvelopeError),
    /// Its kind of envelope does not belong on that channel.
    Misplaced,
    /// Its payload is said to be text, and is not UTF-8.
    NotUtf8,
    /// It is longer than the message limit.
    TooLong,
}

impl Dropped {
    /// All labels.
    const LABELS: [&str; 7] = ["version", "kind", "length", "field", "misplaced", "not_utf8", "too_long"];

    fn label(self) -> &'static str {
        match self {
            Self::Envelope(EnvelopeError::Version(_)) => "version",
            Self::Envelope(EnvelopeError::Kind(_) | EnvelopeError::Positioned) => "kind",
            Self::Envelope(EnvelopeError::Length) => "length",
            Self::Envelope(EnvelopeError::Field(_)) => "field",
            Self::Misplaced => "misplaced",
            Self::NotUtf8 => "not_utf8",
            Self::TooLong => "too_long",
        }
    }
}

/// A claim of a message that is not believed. Its payload is relayed all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distrusted {
    /// It names a node that the registry does not list.
    Origin,
    /// Its node cannot have come to that sequence.
    Sequence,
    /// It cannot have been published at that time.
    Time,
}

impl Distrusted {
    const LABELS: [&str; 3] = ["origin", "sequence", "time"];

    fn label(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Sequence => "sequence",
            Self::Time => "time",
        }
    }
}

impl Metrics {
    /// Makes the counters and registers them.
    ///
    /// # Errors
    /// Where the registry has counters of these names already.
    pub(crate) fn register(new: Registrar<'_>) -> prometheus::Result<Self> {
        let publishes = new.histograms(
            "fanfare_broker_publish_duration_seconds",
            "Publications that this node handed to the broker, by what became of them, and how long the answer took",
            "result",
            ["taken", "refused", "unknown"],
        )?;
        let metrics = Self {
            states: new.register(IntGaugeVec::new(
                Opts::new(
                    "fanfare_broker_state",
                    "1 for what the broker can do now: up, away (takes nothing), deaf (delivers nothing) or split (two take messages)",
                ),
                &["state"],
            )?)?,
            subscriptions: new
                .gauge("fanfare_broker_subscriptions", "Channels that this node asked the broker for")?,
            presence_entries: new
                .gauge("fanfare_presence_entries", "Clients of this node in channels with presence, once for each channel")?,
            events_dropped: new.counter(
                "fanfare_events_dropped_total",
                "Events for the operator's backend that fell off a full outbox, and were not sent",
            )?,
            received: new
                .counter("fanfare_broker_messages_received_total", "Publications from the broker")?,
            foreign: new.counter(
                "fanfare_broker_foreign_messages_total",
                "Publications from the broker without an envelope of ours: somebody's plain PUBLISH",
            )?,
            out_of_order: new.counter(
                "fanfare_publications_out_of_order_total",
                "Publications dropped because they, or a later one of their node, had come already",
            )?,
            controls_refused: new.counter(
                "fanfare_broker_control_messages_refused_total",
                "Control messages to other nodes that the broker did not take, or may not have",
            )?,
            kept: new.counter(
                "fanfare_publishes_kept_total",
                "Publications of this node that the broker put into the history of their channel",
            )?,
            duplicates: new.counter(
                "fanfare_publishes_duplicate_total",
                "Publications of this node that were not delivered, because one with their idempotency key had been",
            )?,
            evicted: new.counter(
                "fanfare_memory_histories_cut_total",
                "Histories that the broker in memory cut because all of them were past limits.history_bytes",
            )?,
            taken: publishes.with_label_values(&["taken"]),
            refused: publishes.with_label_values(&["refused"]),
            unknown: publishes.with_label_values(&["unknown"]),
            dropped: new.counters(
                "fanfare_broker_messages_dropped_total",
                "Messages from the broker that were not relayed, by reason",
                "reason",
                Dropped::LABELS,
            )?,
            distrusted: new.counters(
                "fanfare_publications_distrusted_total",
                "Publications relayed of which something was not believed: the node they name, the sequence or the time",
                "claim",
                Distrusted::LABELS,
            )?,
        };
        metrics.state(BrokerState::Away);
        Ok(metrics)
    }

    /// The state of the broker.
    pub(crate) fn state(&self, now: BrokerState) {
        for state in BrokerState::ALL {
            self.states.with_label_values(&[state.name()]).set(i64::from(state == now));
        }
    }

    /// Events fell off a full outbox.
    pub(crate) fn events_dropped(&self, count: u64) {
        if count > 0 {
            self.events_dropped.inc_by(count);
            tracing::warn!(
                count,
                "the outbox is full: the oldest events are dropped. Does the backend at hooks.events answer?"
            );
        }
    }

    /// The broker took a publication, this long after it was handed over.
    pub(crate) fn taken(&self, after: Duration) {
        self.taken.observe(after.as_secs_f64());
    }

    /// The broker did not take a publication.
    pub(crate) fn refused(&self, after: Duration) {
        self.refused.observe(after.as_secs_f64());
    }

    /// It will not be known whether the broker took a publication.
    pub(crate) fn unknown(&self, after: Duration) {
        self.unknown.observe(after.as_secs_f64());
    }

    pub(crate) fn distrusted(&self, what: Distrusted) {
        self.distrusted.with_label_values(&[what.label()]).inc();
    }

    pub(crate) fn dropped(&self, why: Dropped) {
        self.dropped.with_label_values(&[why.label()]).inc();
    }
}
