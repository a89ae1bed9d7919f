//! Which nodes there are.

use std::{future::Future, pin::Pin};

use serde::{Deserialize, Serialize};

/// What one node tells the others of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// This run of the node, as [`crate::Incarnation`] prints it.
    pub incarnation: String,
    /// Its name, chosen by its operator.
    pub name: String,
    /// Its release.
    pub version: String,
    /// Open connections.
    pub connections: u64,
    /// The newest envelope version it reads. A node writes version N - 1 until every node reads N.
    pub envelope: u8,
    /// How many times this run announced itself before: an entry in which it rises is of a node that lives. 0 of one
    /// that does not say.
    #[serde(default)]
    pub announcements: u64,
    /// It was told to end, and is being drained.
    #[serde(default)]
    pub leaving: bool,
    /// Where its metrics are reached: a URL. `None` of one that does not say, or does not know yet.
    #[serde(default)]
    pub metrics: Option<String>,
}

/// A list of the nodes, kept by all of them.
///
/// # Guarantees
/// An entry is seen by every node once [`Registry::announce`] returned, and no longer than its time to live
/// after its node last announced it.
pub trait Registry: Send + Sync + 'static {
    /// Writes or renews this node's entry.
    fn announce(&self, node: &NodeInfo) -> RegistryFuture<'_, ()>;

    /// Removes this node's entry.
    fn withdraw(&self) -> RegistryFuture<'_, ()>;

    /// All entries, this node's among them, ordered by name and incarnation.
    fn nodes(&self) -> RegistryFuture<'_, Vec<NodeInfo>>;
}

/// What the registry's methods return.
pub type RegistryFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RegistryError>> + Send + 'a>>;

/// The registry could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node registry cannot be reached: {0}")]
pub struct RegistryError(pub String);
