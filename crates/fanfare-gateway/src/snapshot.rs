//! The figures that the page shows of its own node.
//!
//! Invariant: many who ask cost no more than one: what is gathered is good for [`FRESH`].

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus::{Registry, TextEncoder};
use serde::Serialize;

use super::sample::{Quantiles, Rates, Sample};

/// For how long figures are given out again.
const FRESH: Duration = Duration::from_secs(1);

/// Figures that are older than this say nothing of now: nobody was looking.
const OLD: Duration = Duration::from_secs(15);

/// A node at a glance. What is of the time between two looks is `null` at the first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    connections: u64,
    queued_bytes: u64,
    deliveries_per_second: Option<f64>,
    relay_latency_seconds: Option<Quantiles>,
}

/// The last look, and what it showed.
#[derive(Debug, Default)]
pub(crate) struct Glance(Mutex<Option<(Instant, Sample, Figures)>>);

impl Glance {
    /// The figures of now, or of less than a second ago.
    pub(crate) fn figures(&self, registry: &Registry) -> Figures {
        let mut last = self.0.lock();
        let now = Instant::now();
        if let Some((at, _, figures)) = last.as_ref()
            && now.duration_since(*at) < FRESH
        {
            return figures.clone();
        }
        let sample = look(registry);
        let before = last.take().filter(|(at, ..)| now.duration_since(*at) < OLD);
        let rates = before.map(|(at, before, _)| sample.since(&before, now.duration_since(at)));
        let figures = Figures::new(&sample, rates.as_ref());
        *last = Some((now, sample, figures.clone()));
        figures
    }
}

/// By way of the text, so that the page and `fanfare top` read the same.
fn look(registry: &Registry) -> Sample {
    let text = TextEncoder::new().encode_to_string(&registry.gather());
    text.ok().and_then(|text| Sample::parse(&text)).unwrap_or_default()
}

impl Figures {
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
    fn who_asks_again_at_once_gets_the_same_figures() {
        let (registry, glance) = (Registry::new(), Glance::default());
        let connections = IntGauge::new("fanfare_connections", "Open sessions").unwrap();
        registry.register(Box::new(connections.clone())).unwrap();
        connections.set(5);
        let first = glance.figures(&registry);
        assert_eq!((first.connections, first.deliveries_per_second), (5, None));
        connections.set(6);
        assert_eq!(glance.figures(&registry), first);
        if let Some((at, ..)) = glance.0.lock().as_mut() {
            *at -= FRESH;
        }
        let second = glance.figures(&registry);
        assert_eq!(
            (second.connections, second.deliveries_per_second, second.relay_latency_seconds),
            (6, Some(0.0), None)
        );
        if let Some((at, ..)) = glance.0.lock().as_mut() {
            *at -= OLD;
        }
        assert_eq!(glance.figures(&registry).deliveries_per_second, None);
    }
}
