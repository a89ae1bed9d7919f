//! How often each limit was reached.

use fanfare_core::Limit;
use prometheus::{IntCounterVec, Registry};

use crate::registrar::Registrar;

/// `fanfare_limits_hit_total`: hub and gateway count in it.
#[derive(Debug, Clone)]
pub struct LimitHits(IntCounterVec);

impl LimitHits {
    /// Makes the counters and registers them.
    ///
    /// # Errors
    /// The name is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let hits = Registrar(registry).counters(
            "fanfare_limits_hit_total",
            "How often a limit refused, cut or held up something, by limit",
            "limit",
            Limit::ALL.iter().map(|limit| limit.name()),
        )?;
        Ok(Self(hits))
    }

    /// A limit was reached.
    pub fn hit(&self, limit: Limit) {
        self.0.with_label_values(&[limit.name()]).inc();
    }

    /// The number of times that a limit was reached.
    #[must_use]
    pub fn count(&self, limit: Limit) -> u64 {
        self.0.with_label_values(&[limit.name()]).get()
    }
}
