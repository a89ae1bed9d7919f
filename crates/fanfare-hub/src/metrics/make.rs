//! Makes and registers collectors.

use prometheus::{IntCounterVec, Opts, Registry, core::Collector};

/// Registers a collector.
///
/// # Errors
/// Its name is registered already, or is not valid.
pub fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// A counter for each of these values of one label. All series exist from the start: a rate would miss the first event
/// of a series that begins with it.
///
/// # Errors
/// As [`registered`].
pub fn labelled(
    registry: &Registry,
    name: &str,
    help: &str,
    label: &str,
    values: impl IntoIterator<Item = &'static str>,
) -> prometheus::Result<IntCounterVec> {
    let counters = registered(registry, IntCounterVec::new(Opts::new(name, help), &[label])?)?;
    for value in values {
        counters.with_label_values(&[value]);
    }
    Ok(counters)
}
