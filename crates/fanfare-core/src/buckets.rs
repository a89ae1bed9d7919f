//! Bucket bounds of histograms: the same wherever figures are compared.

/// Latencies of messages, from 100 µs to 10 s, in seconds.
pub const LATENCIES: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
