//! The metrics of channels with history.

use fanfare_core::labels;
use fanfare_metrics::Registrar;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Registry};

labels! {
    /// The result of a healing.
    pub enum Heal {
        /// Subscribers got all that had been missing.
        Healed = "healed",
        /// The history did not reach back: publications are lost.
        Failed = "failed",
    }
}

labels! {
    /// The result of a recovery.
    pub enum Recovery {
        /// The node had all of it.
        Tail = "tail",
        /// Some of it was read from the history.
        Read = "read",
        /// The history does not reach back to the position, or is another one.
        Lost = "lost",
        /// The history could not be read in time.
        Failed = "failed",
    }
}

labels! {
    /// The purpose of a read of a history.
    pub enum Purpose {
        /// To find what was missed.
        Heal = "heal",
        /// To send the past to sessions.
        Recover = "recover",
        /// To learn the newest position of channels.
        Position = "position",
    }
}

/// The metrics of channels with history.
pub struct HistoryMetrics {
    heals: IntCounterVec,
    recoveries: IntCounterVec,
    reads: IntCounterVec,
    /// Subscriptions that ended since their channel lost publications for good.
    pub interrupted: IntCounter,
    /// Publications that came twice, and were dropped.
    pub duplicates: IntCounter,
    /// The bytes of the publications of all tails.
    pub tail_bytes: IntGauge,
}

impl HistoryMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// A name is registered already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let new = Registrar(registry);
        Ok(Self {
            heals: new.counters(
                "fanfare_history_heals_total",
                "Times that publications had been missed in a channel with history, by what became of it",
                "result",
                Heal::ALL.iter().map(|result| result.name()),
            )?,
            recoveries: new.counters(
                "fanfare_history_recoveries_total",
                "Clients that asked for the past of a channel, by where it came from",
                "result",
                Recovery::ALL.iter().map(|result| result.name()),
            )?,
            reads: new.counters(
                "fanfare_history_reads_total",
                "Reads of histories by this node's tails, by purpose",
                "purpose",
                Purpose::ALL.iter().map(|purpose| purpose.name()),
            )?,
            interrupted: new.counter(
                "fanfare_history_subscriptions_interrupted_total",
                "Subscriptions that ended since publications of their channel were lost, so that their clients subscribe again",
            )?,
            duplicates: new.counter(
                "fanfare_history_duplicates_total",
                "Publications of channels with history that came twice, and were dropped",
            )?,
            tail_bytes: new.gauge(
                "fanfare_history_tail_bytes",
                "Bytes of publications that this node keeps of channels with history",
            )?,
        })
    }

    /// A channel was healed, or cannot be.
    pub(crate) fn healed(&self, result: Heal) {
        self.heals.with_label_values(&[result.name()]).inc();
    }

    /// A client asked for the past.
    pub(crate) fn recovered(&self, result: Recovery) {
        self.recoveries.with_label_values(&[result.name()]).inc();
    }

    /// A history is read.
    pub(crate) fn read(&self, purpose: Purpose) {
        self.reads.with_label_values(&[purpose.name()]).inc();
    }
}
