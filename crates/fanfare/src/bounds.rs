//! Limits as metrics, beside the metrics that they bound.

use fanfare_core::Limits;
use fanfare_gateway::AdmissionLimits;
use fanfare_metrics::Registrar;
use prometheus::{IntGauge, Registry};

/// The limits of a node.
#[derive(Debug)]
pub(crate) struct Bounds {
    connections: IntGauge,
    inbound: IntGauge,
    outbound: IntGauge,
    incomplete: IntGauge,
    tails: IntGauge,
}

impl Bounds {
    /// Makes and registers the metrics.
    ///
    /// # Errors
    /// A name is registered already.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let new = Registrar(registry);
        Ok(Self {
            connections: new.gauge(
                "fanfare_connections_limit",
                "Connections that there may be: limits.connections, or fewer where descriptors do not allow them",
            )?,
            inbound: new.gauge(
                "fanfare_inbound_queued_limit_bytes",
                "Bytes past which the broker waits for the shards: limits.inbound_bytes",
            )?,
            outbound: new.gauge(
                "fanfare_outbound_queued_limit_bytes",
                "Bytes that may wait for slow clients: limits.outbound_total_bytes",
            )?,
            incomplete: new.gauge(
                "fanfare_incomplete_limit_bytes",
                "Memory that unfinished messages may take: limits.incomplete_total_bytes",
            )?,
            tails: new.gauge(
                "fanfare_history_tail_limit_bytes",
                "Bytes of publications that the node may keep of channels with history: limits.history_bytes",
            )?,
        })
    }

    /// Shows these limits from now on.
    pub(crate) fn set(&self, admission: &AdmissionLimits, limits: &Limits) {
        let show = |gauge: &IntGauge, bound| gauge.set(i64::try_from(bound).unwrap_or(i64::MAX));
        show(&self.connections, admission.connections);
        show(&self.inbound, limits.inbound_bytes);
        show(&self.outbound, limits.outbound_total_bytes);
        show(&self.incomplete, limits.incomplete_total_bytes);
        show(&self.tails, limits.history_bytes);
    }
}
