//! What became of spans, in numbers: there from the start, also where nothing is traced.

use fanfare_metrics::Registrar;
use prometheus::{IntCounter, Registry};

/// What became of spans.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "traces"), expect(dead_code, reason = "a build without traces counts none"))]
pub(crate) struct SpanMetrics {
    pub(super) sent: IntCounter,
    pub(super) failed: IntCounter,
    pub(super) dropped: IntCounter,
}

impl SpanMetrics {
    /// Makes the counters and registers them.
    ///
    /// # Errors
    /// Where `registry` has counters of their name already.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let help = "Spans by what became of them: sent to the collector, failed (it did not take them), dropped (too \
                    many waited for it)";
        let results = ["sent", "failed", "dropped"];
        let spans = Registrar(registry).counters("fanfare_trace_spans_total", help, "result", results)?;
        let [sent, failed, dropped] = results.map(|result| spans.with_label_values(&[result]));
        Ok(Self { sent, failed, dropped })
    }
}
