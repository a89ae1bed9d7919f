//! Prometheus' text format, read: what a node's metrics say at two moments.
//!
//! - [`lines`]: the format
//! - [`buckets`]: a histogram, and its quantiles
//! - [`sample`]: the figures of interest, at one moment and between two

pub mod buckets;
pub mod lines;
pub mod sample;

pub use buckets::Buckets;
pub use sample::{Quantiles, Rates, Sample};
