//! What is counted of reloads.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Gauge, IntCounterVec, IntGauge, Opts, Registry};

/// What is counted of reloads.
#[derive(Debug)]
pub struct ReloadMetrics {
    reloads: IntCounterVec,
    is_good: IntGauge,
    good_at: Gauge,
}

impl ReloadMetrics {
    /// Makes and registers them, for a configuration that was read without a mistake just now.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let reloads = IntCounterVec::new(
            Opts::new("fanfare_config_reloads_total", "Reloads of the configuration (SIGHUP), by result"),
            &["result"],
        )?;
        for result in ["success", "failure"] {
            reloads.with_label_values(&[result]).reset();
        }
        let is_good = IntGauge::new(
            "fanfare_config_last_reload_successful",
            "Whether the configuration was read without a mistake when it was read last",
        )?;
        let good_at = Gauge::new(
            "fanfare_config_last_reload_success_timestamp_seconds",
            "When the configuration was read last without a mistake, in Unix time",
        )?;
        registry.register(Box::new(reloads.clone()))?;
        registry.register(Box::new(is_good.clone()))?;
        registry.register(Box::new(good_at.clone()))?;
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
