//! Metrics of spans, by their outcome. They exist from the start, also if nothing is traced.

use fanfare_metrics::Registrar;
use prometheus::{IntCounter, Registry};

/// Metrics of spans, by their outcome.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "traces"), expect(dead_code, reason = "a build without traces counts none"))]
pub(crate) struct SpanMetrics {
    pub(super) sent: IntCounter,
    pub(super) failed: IntCounter,
    pub(super) dropped: IntCounter,
}

impl SpanMetrics {
    /// Makes and registers the counters.
    ///
    /// # Errors
    /// A name is registered already.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let help = "Spans by what became of them: sent to the collector, failed (it did not take them), dropped (too \
                    many waited for it)";
        let results = ["sent", "failed", "dropped"];
        let spans = Registrar(registry).counters("fanfare_trace_spans_total", help, "result", results)?;
        let [sent, failed, dropped] = results.map(|result| spans.with_label_values(&[result]));
        Ok(Self { sent, failed, dropped })
    }
}
