//! Relay latency: the time from a publication's publish, on any node, until a shard of this node has written it out.
//!
//! It is observed once per publication and shard, whatever the number of subscribers. The wait for a client's own full
//! socket is not part of it: one slow client would stand for all. A publication without a known time of publish (a
//! plain Redis PUBLISH) is not observed.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Incarnation, Publication};
use fanfare_metrics::Registrar;
use prometheus::{Histogram, IntCounter, Registry, local::LocalHistogram};
use tokio::time::Instant;

/// The metrics of relay latency.
pub struct RelayLatency {
    /// The latency of publications of this node.
    pub local: Histogram,
    /// The latency of publications of other nodes.
    pub remote: Histogram,
    /// The number of latencies that came out negative.
    pub skewed: IntCounter,
}

impl RelayLatency {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let new = Registrar(registry);
        let origins = ["local", "remote"];
        let latencies = new.histograms(
            "fanfare_relay_latency_seconds",
            "From a publication's publish until it was written to its subscribers here, once per shard; remote: it was \
             published on another node",
            "origin",
            origins,
        )?;
        let skewed = new.counter(
            "fanfare_relay_latency_clock_skew_total",
            "Relay latencies that came out negative and count as 0: two nodes disagree about the time",
        )?;
        let [local, remote] = origins.map(|origin| latencies.with_label_values(&[origin]));
        Ok(Self { local, remote, skewed })
    }

    /// A buffer for the latencies of one shard of this node.
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

/// The latencies of one shard in a tick, added to the metrics once at its end.
pub(crate) struct Latencies {
    node: Incarnation,
    local: LocalHistogram,
    remote: LocalHistogram,
    skewed: IntCounter,
    /// Publications that are written out at the end of the tick.
    queued: Vec<Arc<Publication>>,
}

impl Latencies {
    /// These are written out now.
    pub(crate) fn written<'p>(&mut self, publications: impl Iterator<Item = &'p Arc<Publication>>) {
        let now = Instant::now().into_std();
        publications.for_each(|publication| self.observe(publication, now));
    }

    /// These are queued for a session, until the end of the tick.
    pub(crate) fn queued<'p>(&mut self, publications: impl Iterator<Item = &'p Arc<Publication>>) {
        self.queued.extend(publications.cloned());
    }

    /// All publications of the tick are written out.
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
