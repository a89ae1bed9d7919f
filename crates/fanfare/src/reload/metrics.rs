//! Metrics of reloads.

use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_metrics::Registrar;
use prometheus::{Gauge, IntCounterVec, IntGauge, Registry};

/// Metrics of reloads.
#[derive(Debug)]
pub struct ReloadMetrics {
    reloads: IntCounterVec,
    is_good: IntGauge,
    good_at: Gauge,
}

impl ReloadMetrics {
    /// Makes and registers the metrics, for a configuration that was read without a mistake.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let new = Registrar(registry);
        let reloads = new.counters(
            "fanfare_config_reloads_total",
            "Reloads of the configuration (SIGHUP), by result",
            "result",
            ["success", "failure"],
        )?;
        let is_good = new.gauge(
            "fanfare_config_last_reload_successful",
            "Whether the configuration was read without a mistake when it was read last",
        )?;
        let good_at = new.register(Gauge::new(
            "fanfare_config_last_reload_success_timestamp_seconds",
            "When the configuration was read last without a mistake, in Unix time",
        )?)?;
        let metrics = Self { reloads, is_good, good_at };
        metrics.good();
        Ok(metrics)
    }

    fn good(&self) {
        self.is_good.set(1);
        self.good_at.set(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
    }

    pub(crate) fn succeeded(&self) {
        self.reloads.with_label_values(&["success"]).inc();
        self.good();
    }

    pub(crate) fn failed(&self) {
        self.reloads.with_label_values(&["failure"]).inc();
        self.is_good.set(0);
    }
}
