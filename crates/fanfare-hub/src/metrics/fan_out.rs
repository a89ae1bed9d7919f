//! The metrics of delivery: sizes of fan-outs, writes, and the busy time of shards.

use std::time::Instant;

use fanfare_metrics::Registrar;
use prometheus::{Counter, CounterVec, Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry};

/// Bounds of the buckets of subscribers.
const SUBSCRIBERS: [f64; 15] = [
    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0, 25_000.0,
    100_000.0,
];

/// The metrics of delivery.
pub struct FanOut {
    /// Channels with a subscriber on this node.
    pub channels: IntGauge,
    /// Subscriptions on this node.
    pub subscriptions: IntGauge,
    /// The number of subscribers on this node of each publication that has one.
    pub size: Histogram,
    /// Writes to sockets that carried publications, or bytes that had waited.
    pub writes: IntCounter,
    busy: CounterVec,
}

impl FanOut {
    /// Makes and registers them.
    ///
    /// # Errors
    /// A name is registered already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let size = HistogramOpts::new(
            "fanfare_fan_out_subscribers",
            "Subscribers on this node of each publication that came for one of its channels",
        );
        let busy = Opts::new(
            "fanfare_shard_busy_seconds_total",
            "Seconds in which a shard had publications to write out, the time it gave to other tasks meanwhile \
             included",
        );
        let new = Registrar(registry);
        Ok(Self {
            channels: new.gauge("fanfare_channels", "Channels with a subscriber on this node")?,
            subscriptions: new.gauge(
                "fanfare_subscriptions",
                "Subscriptions on this node: one for each connection and channel",
            )?,
            size: new.register(Histogram::with_opts(size.buckets(SUBSCRIBERS.to_vec()))?)?,
            writes: new.counter(
                "fanfare_delivery_writes_total",
                "Writes to sockets that carried publications, or what had waited for the socket",
            )?,
            busy: new.register(CounterVec::new(busy, &["shard"])?)?,
        })
    }

    /// The busy time of one shard, by its index.
    pub(crate) fn busy(&self, shard: usize) -> Busy {
        Busy(self.busy.with_label_values(&[shard.to_string()]))
    }
}

/// The seconds in which one shard was busy.
pub(crate) struct Busy(Counter);

impl Busy {
    /// Adds the time from `then` until now. Returns now.
    pub(crate) fn since(&self, then: Instant) -> Instant {
        let now = Instant::now();
        self.0.inc_by((now - then).as_secs_f64());
        now
    }
}
