//! Metrics of events. Those that fell off the outbox are counted by the broker.

use fanfare_core::labels;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

labels! {
    /// The result of an attempt to send a batch.
    pub(super) enum Attempt {
        /// The backend took it.
        Taken = "taken",
        /// The backend answered with a status that is not 2xx.
        Refused = "refused",
        /// There was no answer.
        Failure = "failure",
    }
}

/// Metrics of events.
#[derive(Clone)]
pub(crate) struct EventMetrics {
    pub(super) waiting: IntGauge,
    pub(super) sent: IntCounter,
    attempts: IntCounterVec,
}

impl EventMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// A name is registered already.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            waiting: IntGauge::new(
                "fanfare_events_waiting",
                "Events of all nodes that the operator's backend did not take yet; 0 on nodes that do not send",
            )?,
            sent: IntCounter::new("fanfare_events_sent_total", "Events that the operator's backend took")?,
            attempts: IntCounterVec::new(
                Opts::new(
                    "fanfare_event_batches_total",
                    "Batches of events sent to the operator's backend, by result",
                ),
                &["result"],
            )?,
        };
        registry.register(Box::new(metrics.waiting.clone()))?;
        registry.register(Box::new(metrics.sent.clone()))?;
        registry.register(Box::new(metrics.attempts.clone()))?;
        for attempt in Attempt::ALL {
            metrics.attempts.with_label_values(&[attempt.name()]);
        }
        Ok(metrics)
    }

    pub(super) fn waiting(&self, count: u64) {
        self.waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    #[cfg(test)]
    pub(super) fn count(&self, attempt: Attempt) -> u64 {
        self.attempts.with_label_values(&[attempt.name()]).get()
    }

    pub(super) fn attempted(&self, attempt: Attempt) {
        self.attempts.with_label_values(&[attempt.name()]).inc();
    }
}
