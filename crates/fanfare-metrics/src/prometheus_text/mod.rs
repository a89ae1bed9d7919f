//! A node at a glance, from what its metrics say at two moments: for the page, and for `fanfare top`.
//!
//! - [`text`]: Prometheus' text format, read
//! - [`buckets`]: a histogram, and its quantiles
//! - [`sample`]: what is of interest, at one moment and between two
//! - `glance`: the figures that the page shows of its own node

pub mod buckets;
pub(crate) mod glance;
pub mod sample;
pub mod text;

pub use buckets::Buckets;
pub use sample::{Quantiles, Rates, Sample};
