//! Metrics of hooks.

use std::time::Duration;

use fanfare_core::{Hook, buckets::LATENCIES};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Metrics of hooks.
#[derive(Clone)]
pub(crate) struct HookMetrics {
    asked: IntCounterVec,
    duration: HistogramVec,
    breaker: IntGaugeVec,
}

impl HookMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// A name is registered already.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let asked = IntCounterVec::new(
            Opts::new("fanfare_hooks_total", "Questions to the operator's backend, by hook and result"),
            &["hook", "result"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new("fanfare_hook_duration_seconds", "Time until the backend answered a hook")
                .buckets(LATENCIES.to_vec()),
            &["hook"],
        )?;
        let breaker = IntGaugeVec::new(
            Opts::new(
                "fanfare_hook_breaker_open",
                "Whether a hook fails at once, because the backend is away",
            ),
            &["hook"],
        )?;
        registry.register(Box::new(asked.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(breaker.clone()))?;
        let metrics = Self { asked, duration, breaker };
        for hook in Hook::ALL {
            for result in ["result", "error", "disconnect", "failure", "breaker_open"] {
                metrics.asked.with_label_values(&[hook.name(), result]);
            }
            metrics.duration.with_label_values(&[hook.name()]);
            metrics.breaker(*hook, false);
        }
        Ok(metrics)
    }

    pub(super) fn asked(&self, hook: Hook, result: &str, took: Duration) {
        self.asked.with_label_values(&[hook.name(), result]).inc();
        if result != "breaker_open" {
            self.duration.with_label_values(&[hook.name()]).observe(took.as_secs_f64());
        }
    }

    pub(super) fn breaker(&self, hook: Hook, is_open: bool) {
        self.breaker.with_label_values(&[hook.name()]).set(i64::from(is_open));
    }
}
