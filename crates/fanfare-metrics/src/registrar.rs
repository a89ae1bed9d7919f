//! Makes collectors and registers them.

use fanfare_core::buckets::LATENCIES;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    core::Collector,
};

/// Makes collectors and registers each in a registry.
///
/// Each method fails where its name is registered already, or is not a name.
#[derive(Clone, Copy)]
pub struct Registrar<'a>(pub &'a Registry);

impl Registrar<'_> {
    /// A counter.
    pub fn counter(self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.register(IntCounter::new(name, help)?)
    }

    /// A gauge.
    pub fn gauge(self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.register(IntGauge::new(name, help)?)
    }

    /// A counter for each of these values of one label. All of them are there from the start: a rate would miss the
    /// first event of a series that begins with it.
    pub fn counters<'v>(
        self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = &'v str>,
    ) -> prometheus::Result<IntCounterVec> {
        let counters = self.register(IntCounterVec::new(Opts::new(name, help), &[label])?)?;
        for value in values {
            counters.with_label_values(&[value]);
        }
        Ok(counters)
    }

    /// A histogram of latencies, in seconds.
    pub fn histogram(self, name: &str, help: &str) -> prometheus::Result<Histogram> {
        self.register(Histogram::with_opts(latencies(name, help))?)
    }

    /// A histogram of latencies for each of these values of one label, from the start.
    pub fn histograms<'v>(
        self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = &'v str>,
    ) -> prometheus::Result<HistogramVec> {
        let histograms = self.register(HistogramVec::new(latencies(name, help), &[label])?)?;
        for value in values {
            histograms.with_label_values(&[value]);
        }
        Ok(histograms)
    }

    /// Any other collector.
    pub fn register<C: Collector + Clone + 'static>(self, collector: C) -> prometheus::Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }
}

fn latencies(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(name, help).buckets(LATENCIES.to_vec())
}
