//! A collector that reads its values at each scrape.

use std::collections::HashMap;

use prometheus::{
    Counter, Gauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};

/// The type of a metric.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Up and down.
    Gauge,
    /// Up.
    Counter,
}

/// Name, help and kind.
pub(super) type Row = (&'static str, &'static str, Kind);

/// Metrics that are read together, at each scrape.
pub(super) struct Scraped<const N: usize> {
    table: [Row; N],
    descriptions: Vec<Desc>,
    /// `None`: the value cannot be read, and the metric is left out.
    read: Box<dyn Fn() -> [Option<f64>; N] + Send + Sync>,
}

impl<const N: usize> Scraped<N> {
    pub(super) fn new(
        table: [Row; N],
        read: impl Fn() -> [Option<f64>; N] + Send + Sync + 'static,
    ) -> prometheus::Result<Self> {
        let description =
            |(name, help, _): &Row| Desc::new((*name).into(), (*help).into(), Vec::new(), HashMap::new());
        let descriptions = table.iter().map(description).collect::<Result<_, _>>()?;
        Ok(Self { table, descriptions, read: Box::new(read) })
    }
}

impl<const N: usize> Collector for Scraped<N> {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let shown = self.table.iter().zip((self.read)());
        shown.filter_map(|(row, value)| family(row, value?)).flatten().collect()
    }
}

fn family((name, help, kind): &Row, value: f64) -> Option<Vec<MetricFamily>> {
    match kind {
        Kind::Gauge => {
            let gauge = Gauge::new(*name, *help).ok()?;
            gauge.set(value);
            Some(gauge.collect())
        }
        Kind::Counter => {
            let counter = Counter::new(*name, *help).ok()?;
            counter.inc_by(value);
            Some(counter.collect())
        }
    }
}
