//! Relay latency: from a publication's publish, on whichever node that was, until a shard here has written it out.
//!
//! Once per publication and shard, whatever the number of subscribers. What a client's own socket refuses, and what
//! is held for it, is not part of it: one slow client would stand for all. Where it is not known when a publication
//! was published (somebody's plain PUBLISH), nothing is counted.

use std::time::{Duration, Instant};

use fanfare_core::{Publication, buckets::LATENCIES};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, Registry, local::LocalHistogram};

/// See the head of this file.
pub struct RelayLatency {
    /// Of publications of this node.
    pub local: Histogram,
    /// Of those of others.
    pub remote: Histogram,
    /// Of those that came out negative.
    pub skewed: IntCounter,
}

impl RelayLatency {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let options = HistogramOpts::new(
            "fanfare_relay_latency_seconds",
            "From a publication's publish until it was written to its subscribers here, once per shard; remote: it was \
             published on another node",
        );
        let latencies = HistogramVec::new(options.buckets(LATENCIES.to_vec()), &["origin"])?;
        registry.register(Box::new(latencies.clone()))?;
        let skewed = IntCounter::new(
            "fanfare_relay_latency_clock_skew_total",
            "Relay latencies that came out negative and count as 0: two nodes disagree about the time",
        )?;
        registry.register(Box::new(skewed.clone()))?;
        let [local, remote] = ["local", "remote"].map(|origin| latencies.with_label_values(&[origin]));
        Ok(Self { local, remote, skewed })
    }

    /// To be gathered by one shard.
    pub(crate) fn gather(&self) -> Latencies {
        Latencies { local: self.local.local(), remote: self.remote.local(), skewed: self.skewed.clone() }
    }
}

/// What one shard gathers in a tick, added once at its end.
pub(crate) struct Latencies {
    local: LocalHistogram,
    remote: LocalHistogram,
    skewed: IntCounter,
}

impl Latencies {
    /// A publication is written out now; `is_own`: of this node.
    pub(crate) fn written(&mut self, publication: &Publication, is_own: bool, now: Instant) {
        let Some(published) = publication.published else { return };
        let latency = now.checked_duration_since(published).unwrap_or_else(|| {
            self.skewed.inc();
            Duration::ZERO
        });
        let histogram = if is_own { &self.local } else { &self.remote };
        histogram.observe(latency.as_secs_f64());
    }

    /// Adds what was gathered.
    pub(crate) fn flush(&mut self) {
        self.local.flush();
        self.remote.flush();
    }
}
