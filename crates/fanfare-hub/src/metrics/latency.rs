//! Relay latency: from a publication's publish, on whichever node that was, until a shard here has written it out.
//!
//! Once per publication and shard, whatever the number of subscribers. What a client's own socket refuses, and what
//! is held for it, is not part of it: one slow client would stand for all. Where it is not known when a publication
//! was published (somebody's plain PUBLISH), nothing is counted.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Incarnation, Publication, buckets::LATENCIES};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, Registry, local::LocalHistogram};
use tokio::time::Instant;

use crate::delivery::batch::Batch;

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

    /// To be gathered by one shard of this node.
    pub(crate) fn gather(&self, node: Incarnation) -> Latencies {
        Latencies {
            node,
            local: self.local.local(),
            remote: self.remote.local(),
            skewed: self.skewed.clone(),
            queued: Vec::new(),
        }
    }
}

/// What one shard gathers in a tick, added once at its end.
pub(crate) struct Latencies {
    node: Incarnation,
    local: LocalHistogram,
    remote: LocalHistogram,
    skewed: IntCounter,
    /// Written out at the end of the tick.
    queued: Vec<Arc<Publication>>,
}

impl Latencies {
    /// A batch is written out now.
    pub(crate) fn written(&mut self, batch: &Batch) {
        let now = Instant::now().into_std();
        batch.publications().for_each(|publication| self.observe(publication, now));
    }

    /// A batch is queued for somebody, until the end of the tick.
    pub(crate) fn queued(&mut self, batch: &Batch) {
        self.queued.extend(batch.publications().cloned());
    }

    /// All is written out.
    pub(crate) fn tick_ended(&mut self) {
        if !self.queued.is_empty() {
            let now = Instant::now().into_std();
            std::mem::take(&mut self.queued).iter().for_each(|publication| self.observe(publication, now));
        }
        self.local.flush();
        self.remote.flush();
    }

    fn observe(&self, publication: &Publication, now: std::time::Instant) {
        let Some(published) = publication.published else { return };
        let latency = now.checked_duration_since(published).unwrap_or_else(|| {
            self.skewed.inc();
            Duration::ZERO
        });
        let is_own = publication.origin.is_some_and(|origin| origin.node == self.node);
        let histogram = if is_own { &self.local } else { &self.remote };
        histogram.observe(latency.as_secs_f64());
    }
}
