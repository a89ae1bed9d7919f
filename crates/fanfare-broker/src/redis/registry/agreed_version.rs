//! The envelope version that this node writes.
//!
//! Invariants:
//! - Every node reads it that the registry listed when it was read last.
//! - Until the registry was read it is the oldest one.

use std::sync::atomic::{AtomicU8, Ordering};

use fanfare_core::NodeInfo;

use crate::envelope;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct AgreedVersion {
    /// The newest version that this node reads.
    newest: u8,
    written: AtomicU8,
}

impl AgreedVersion {
    /// For a node that reads all versions up to `newest`.
    pub(crate) fn new(newest: u8) -> Self {
        Self { newest, written: AtomicU8::new(envelope::OLDEST) }
    }

    /// The version to write.
    pub(crate) fn version(&self) -> u8 {
        self.written.load(Ordering::Relaxed)
    }

    /// Takes the list of all nodes.
    pub(crate) fn read(&self, nodes: &[NodeInfo]) {
        let common = nodes.iter().map(|node| node.envelope).fold(self.newest, u8::min);
        self.written.store(common.max(envelope::OLDEST), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::Incarnation;

    use super::*;

    #[test]
    fn all_nodes_read_the_agreed_version() {
        let node = |envelope| NodeInfo::first(Incarnation(1), "a", envelope);
        let newest = envelope::OLDEST + 2;
        let agreed = AgreedVersion::new(newest);
        assert_eq!(agreed.version(), envelope::OLDEST);
        for (nodes, version) in [
            (vec![node(newest)], newest),
            (vec![node(newest), node(newest - 1)], newest - 1),
            (vec![node(newest), node(u8::MAX)], newest),
            (vec![node(0)], envelope::OLDEST),
            (vec![], newest),
        ] {
            agreed.read(&nodes);
            assert_eq!(agreed.version(), version, "{nodes:?}");
        }
    }
}
