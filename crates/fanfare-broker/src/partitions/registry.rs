//! The list of nodes: on all partitions. A node is listed that one of them lists.
//!
//! Invariant: a partition that does not answer holds up the others for [`PATIENCE`] at most, well below the time to live
//! of an entry.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fanfare_core::{
    NodeInfo, Registry,
    registry::{RegistryError, RegistryFuture},
};
use futures_util::future::join_all;
use tokio::time::timeout;
use tracing::{Instrument, Span};

/// How long the answer of a partition is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the head of this file.
pub(super) struct PartitionedRegistry {
    /// Each with the span that names it in the log.
    pub(super) registries: Vec<(Arc<dyn Registry>, Span)>,
}

impl PartitionedRegistry {
    /// The answers of those partitions that answer.
    async fn ask_all<'a, T>(
        &'a self,
        ask: impl Fn(&'a dyn Registry) -> RegistryFuture<'a, T>,
    ) -> Result<Vec<T>, RegistryError> {
        let asked = self.registries.iter().map(|(registry, span)| {
            let asked = timeout(PATIENCE, ask(&**registry)).instrument(span.clone());
            async { asked.await.unwrap_or_else(|_| Err(RegistryError("no answer in time".to_owned()))) }
        });
        let (mut answers, mut failed) = (Vec::new(), None);
        for answer in join_all(asked).await {
            match answer {
                Ok(answer) => answers.push(answer),
                Err(error) => failed = Some(error),
            }
        }
        failed.filter(|_| answers.is_empty()).map_or(Ok(answers), Err)
    }
}

impl Registry for PartitionedRegistry {
    fn announce(&self, node: &NodeInfo) -> RegistryFuture<'_, ()> {
        let node = node.clone();
        Box::pin(async move {
            let asked = self
                .registries
                .iter()
                .map(|(registry, span)| timeout(PATIENCE, registry.announce(&node)).instrument(span.clone()));
            let answers = join_all(asked).await;
            let mut failed = Err(RegistryError("no answer in time".to_owned()));
            for answer in answers.into_iter().flatten() {
                if answer.is_ok() {
                    return Ok(());
                }
                failed = answer;
            }
            failed
        })
    }

    fn withdraw(&self) -> RegistryFuture<'_, ()> {
        Box::pin(async { self.ask_all(|registry| registry.withdraw()).await.map(drop) })
    }

    fn nodes(&self) -> RegistryFuture<'_, Vec<NodeInfo>> {
        Box::pin(async { Ok(union(self.ask_all(|registry| registry.nodes()).await?.into_iter().flatten())) })
    }
}

/// Each node once, as it announced itself last.
fn union(entries: impl Iterator<Item = NodeInfo>) -> Vec<NodeInfo> {
    let mut newest: HashMap<String, NodeInfo> = HashMap::new();
    for entry in entries {
        match newest.get_mut(&entry.incarnation) {
            Some(known) if known.announcements >= entry.announcements => {}
            Some(known) => *known = entry,
            None => _ = newest.insert(entry.incarnation.clone(), entry),
        }
    }
    let mut nodes: Vec<_> = newest.into_values().collect();
    nodes.sort_by(|a, b| (&a.name, &a.incarnation).cmp(&(&b.name, &b.incarnation)));
    nodes
}

#[cfg(test)]
mod tests {
    use fanfare_core::Incarnation;

    use super::*;

    fn node(incarnation: u64, name: &str, announcements: u64) -> NodeInfo {
        NodeInfo { announcements, ..NodeInfo::first(Incarnation(incarnation), name, 1) }
    }

    #[test]
    fn the_newest_entry_of_a_node_is_listed() {
        let entries = [node(1, "b", 3), node(2, "a", 1), node(1, "b", 4), node(1, "b", 2)];
        assert_eq!(union(entries.into_iter()), [node(2, "a", 1), node(1, "b", 4)]);
    }
}
