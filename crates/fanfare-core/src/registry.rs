//! The list of nodes.

use std::{future::Future, pin::Pin};

use serde::{Deserialize, Serialize};

use crate::Incarnation;

/// A node's entry in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// The incarnation, as [`crate::Incarnation`] prints it.
    pub incarnation: String,
    /// The name, chosen by the operator.
    pub name: String,
    /// The release.
    pub version: String,
    /// Open connections.
    pub connections: u64,
    /// The newest envelope version that it reads. A node writes version N - 1 until every node reads N.
    pub envelope: u8,
    /// The number of earlier announcements of this run: it rises while the node lives. 0 for a node that does not tell.
    #[serde(default)]
    pub announcements: u64,
    /// Whether the node is being drained.
    #[serde(default)]
    pub leaving: bool,
    /// The URL of its metrics. `None` for a node that does not tell, or does not know yet.
    #[serde(default)]
    pub metrics: Option<String>,
}

impl NodeInfo {
    /// The first entry of a node that reads envelopes up to this version.
    #[must_use]
    pub fn first(incarnation: Incarnation, name: &str, envelope: u8) -> Self {
        Self {
            incarnation: incarnation.to_string(),
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            connections: 0,
            envelope,
            announcements: 0,
            leaving: false,
            metrics: None,
        }
    }
}

/// The list of nodes, kept by all of them.
///
/// # Guarantees
/// Every node sees an entry once [`Registry::announce`] returned, and no longer than its time to live after its node
/// last announced it.
pub trait Registry: Send + Sync + 'static {
    /// Writes or renews this node's entry.
    fn announce(&self, node: &NodeInfo) -> RegistryFuture<'_, ()>;

    /// Removes this node's entry.
    fn withdraw(&self) -> RegistryFuture<'_, ()>;

    /// All entries, this node's included, ordered by name and incarnation.
    fn nodes(&self) -> RegistryFuture<'_, Vec<NodeInfo>>;
}

/// The future that the registry's methods return.
pub type RegistryFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RegistryError>> + Send + 'a>>;

/// The registry could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node registry cannot be reached: {0}")]
pub struct RegistryError(pub String);
