//! The registry of a node that is alone.

use std::time::Instant;

use fanfare_core::{NodeInfo, Registry, registry::RegistryFuture};
use parking_lot::Mutex;

use crate::node::TIME_TO_LIVE;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct MemoryRegistry(Mutex<Option<(NodeInfo, Instant)>>);

impl Registry for MemoryRegistry {
    fn announce(&self, node: &NodeInfo) -> RegistryFuture<'_, ()> {
        let node = node.clone();
        Box::pin(async move {
            *self.0.lock() = Some((node, Instant::now()));
            Ok(())
        })
    }

    fn withdraw(&self) -> RegistryFuture<'_, ()> {
        Box::pin(async move {
            *self.0.lock() = None;
            Ok(())
        })
    }

    fn nodes(&self) -> RegistryFuture<'_, Vec<NodeInfo>> {
        Box::pin(async move {
            let entry = self.0.lock();
            let alive = entry.iter().filter(|(_, since)| since.elapsed() <= TIME_TO_LIVE);
            Ok(alive.map(|(node, _)| node.clone()).collect())
        })
    }
}
