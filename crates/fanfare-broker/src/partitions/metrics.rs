//! The series of each partition: those of a broker, with the partition's name as the label `shard`.

use std::collections::HashMap;

use prometheus::{
    Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};

/// One registry for each partition, as one collector.
pub(super) struct PartitionMetrics(Vec<Registry>);

impl PartitionMetrics {
    /// A registry for each of these names.
    ///
    /// # Errors
    /// Where a name cannot be a label.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> prometheus::Result<Self> {
        let registry = |name: &str| {
            Registry::new_custom(None, Some(HashMap::from([("shard".to_owned(), name.to_owned())])))
        };
        Ok(Self(names.into_iter().map(registry).collect::<Result<_, _>>()?))
    }

    pub(super) fn registries(&self) -> &[Registry] {
        &self.0
    }
}

impl Collector for PartitionMetrics {
    /// Each registry has checked its own.
    fn desc(&self) -> Vec<&Desc> {
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.0.iter().flat_map(Registry::gather).collect()
    }
}
