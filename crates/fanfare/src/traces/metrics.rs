//! What became of spans, in numbers: there from the start, also where nothing is traced.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

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
        let spans = IntCounterVec::new(Opts::new("fanfare_trace_spans_total", help), &["result"])?;
        registry.register(Box::new(spans.clone()))?;
        let [sent, failed, dropped] =
            ["sent", "failed", "dropped"].map(|result| spans.with_label_values(&[result]));
        Ok(Self { sent, failed, dropped })
    }
}
