//! The tables and charts of cases with an open loop.

use crate::{
    number::{figure, short},
    rooms::Figures,
    table::Table,
};

const HEAD: [&str; 12] = [
    "offered /s",
    "deliveries/s",
    "cores",
    "µs/delivery",
    "Redis µs",
    "load gen. µs",
    "p50",
    "p99",
    "p99.9",
    "max",
    "memory before / peak",
    "lost / doubled / out of order / ended",
];

/// A table with these columns before those of an open loop.
pub(super) fn table(before: &[&str]) -> Table {
    let head = before.iter().chain(&HEAD).map(|name| (*name).to_owned());
    Table { rows: vec![head.collect()] }
}

/// The cells of a row, after those of the columns before.
pub(super) fn row(before: &[String], figures: &Figures) -> Vec<String> {
    [before, &cells(figures)].concat()
}

/// The latencies of a chart, in milliseconds.
pub(super) fn latencies(figures: &Figures) -> [f64; 3] {
    let latency = figures.latency;
    [latency.p50, latency.p99, latency.p999].map(|micros| micros as f64 / 1e3)
}

fn cells(figures: &Figures) -> [String; 12] {
    let ms = |micros: u64| format!("{} ms", short(micros as f64 / 1e3));
    let mib = |bytes: f64| figure(bytes / f64::from(1 << 20), 0, "").trim_end().to_owned();
    let Figures { latency, faults, .. } = figures;
    [
        short(figures.offered),
        short(figures.rate),
        format!("{:.2}", figures.cores),
        short(figures.cpu.total),
        short(figures.beside_cpu.total),
        short(figures.swarm_cpu.total),
        ms(latency.p50),
        ms(latency.p99),
        ms(latency.p999),
        ms(latency.max),
        format!("{} / {} MiB", mib(figures.memory_before.rss), mib(figures.peak_rss)),
        format!("{} / {} / {} / {}", faults.lost, faults.doubled, faults.out_of_order, faults.ended),
    ]
}
