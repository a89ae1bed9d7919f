//! How metrics are registered, and how those of a node are read.
//!
//! - [`registrar`]: makes and registers collectors, those of one label with all of its values
//! - [`limit_hits`]: the counters of limits, which hub and gateway share
//! - [`prometheus_text`]: what a node's `/metrics` says, for its page and for `fanfare top`

pub mod limit_hits;
pub mod prometheus_text;
pub mod registrar;

pub use limit_hits::LimitHits;
pub use registrar::Registrar;
