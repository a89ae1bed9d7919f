//! Counters of the process' log, which is there before any registry.

use prometheus::IntCounter;

/// A counter that is registered later.
#[expect(clippy::expect_used, reason = "the name is valid, as every start shows")]
pub(super) fn counter(name: &str, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect("a valid name for a metric")
}
