//! The figures of this node at one moment, for the page.
//!
//! Invariant: many requests cost no more than one, since each snapshot is given out for [`FRESH`].

use std::time::{Duration, Instant};

use fanfare_metrics::prometheus_text::{Quantiles, Rates, Sample};
use parking_lot::Mutex;
use prometheus::{Registry, TextEncoder};
use serde::Serialize;

/// How long a snapshot is given out again.
const FRESH: Duration = Duration::from_secs(1);

/// A snapshot that is older than this cannot be the base of a rate: the page was closed meanwhile.
const OLD: Duration = Duration::from_secs(15);

/// A node at one moment. A figure that needs two moments is `null` at the first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct NodeSnapshot {
    connections: u64,
    queued_bytes: u64,
    deliveries_per_second: Option<f64>,
    relay_latency_seconds: Option<Quantiles>,
}

/// The last snapshot, and the sample that it was made of.
#[derive(Debug, Default)]
pub(crate) struct Snapshots(Mutex<Option<(Instant, Sample, NodeSnapshot)>>);

impl Snapshots {
    /// The snapshot of now, or one of less than a second ago.
    pub(crate) fn take(&self, registry: &Registry) -> NodeSnapshot {
        let mut last = self.0.lock();
        let now = Instant::now();
        if let Some((at, _, snapshot)) = last.as_ref()
            && now.duration_since(*at) < FRESH
        {
            return snapshot.clone();
        }
        let sample = look(registry);
        let before = last.take().filter(|(at, ..)| now.duration_since(*at) < OLD);
        let rates = before.map(|(at, before, _)| sample.since(&before, now.duration_since(at)));
        let snapshot = NodeSnapshot::new(&sample, rates.as_ref());
        *last = Some((now, sample, snapshot.clone()));
        snapshot
    }
}

/// The sample of now: read from the text, so that the page and `fanfare top` show the same.
fn look(registry: &Registry) -> Sample {
    let text = TextEncoder::new().encode_to_string(&registry.gather());
    text.ok().and_then(|text| Sample::parse(&text)).unwrap_or_default()
}

impl NodeSnapshot {
    fn new(sample: &Sample, rates: Option<&Rates>) -> Self {
        Self {
            connections: sample.connections as u64,
            queued_bytes: sample.queued_bytes as u64,
            deliveries_per_second: rates.map(|rates| rates.deliveries),
            relay_latency_seconds: rates.and_then(Rates::quantiles),
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::IntGauge;

    use super::*;

    #[test]
    fn a_request_soon_after_gets_the_same_snapshot() {
        let (registry, snapshots) = (Registry::new(), Snapshots::default());
        let connections = IntGauge::new("fanfare_connections", "Open sessions").unwrap();
        registry.register(Box::new(connections.clone())).unwrap();
        connections.set(5);
        let first = snapshots.take(&registry);
        assert_eq!((first.connections, first.deliveries_per_second), (5, None));
        connections.set(6);
        assert_eq!(snapshots.take(&registry), first);
        if let Some((at, ..)) = snapshots.0.lock().as_mut() {
            *at -= FRESH;
        }
        let second = snapshots.take(&registry);
        assert_eq!(
            (second.connections, second.deliveries_per_second, second.relay_latency_seconds),
            (6, Some(0.0), None)
        );
        if let Some((at, ..)) = snapshots.0.lock().as_mut() {
            *at -= OLD;
        }
        assert_eq!(snapshots.take(&registry).deliveries_per_second, None);
    }
}
