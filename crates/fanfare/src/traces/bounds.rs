//! The bounds of spans that wait for the collector.

use std::time::Duration;

/// The most spans that wait for the collector.
pub const QUEUE: usize = 2048;

/// The most time that the waiting spans take once the node ends.
pub(crate) const LAST_SPANS: Duration = Duration::from_secs(1);
