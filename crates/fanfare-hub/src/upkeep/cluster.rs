//! The nodes of the cluster, as this node sees them.
//!
//! Every node renews its entry in the registry and reads the others'. A node that comes or goes tells all nodes with a
//! control message, so that they look at once and not at their next turn. Another live node with the same name is
//! logged, once, and counted: names are for people, and nothing depends on them.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fanfare_core::{
    Broker, NodeInfo, Registry,
    broker::{ControlMessage, Recipient},
    registry::RegistryError,
};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    calls::gather::{Calls, Exchange},
    metrics::HubMetrics,
    upkeep::{duplicate_names::DuplicateNames, ghosts::Ghosts},
};

/// How often a node renews its entry and looks for the others. Entries live several times as long.
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// A control message between nodes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Control {
    /// A node came or goes.
    NodesChanged,
    /// A call about clients, or its answer.
    #[serde(untagged)]
    Exchange(Exchange),
}

/// This node's view of the cluster.
pub struct Cluster {
    me: NodeInfo,
    registry: Arc<dyn Registry>,
    broker: Arc<dyn Broker>,
    /// Carries out the calls of other nodes.
    calls: Option<Arc<Calls>>,
    /// Looks for the clients of nodes that are gone.
    ghosts: Option<Arc<Ghosts>>,
    metrics: Arc<HubMetrics>,
    nodes: RwLock<Arc<[NodeInfo]>>,
    announcements: AtomicU64,
    leaving: AtomicBool,
    /// The URL of this node's metrics, once it is known.
    metrics_at: OnceLock<String>,
}

impl Cluster {
    /// A view that knows only `me`, until [`Cluster::run`] runs.
    #[must_use]
    pub fn new(
        me: NodeInfo,
        registry: Arc<dyn Registry>,
        broker: Arc<dyn Broker>,
        metrics: Arc<HubMetrics>,
    ) -> Self {
        let nodes = RwLock::new(Arc::from([me.clone()]));
        Self {
            me,
            registry,
            broker,
            calls: None,
            ghosts: None,
            metrics,
            nodes,
            announcements: AtomicU64::new(0),
            leaving: AtomicBool::new(false),
            metrics_at: OnceLock::new(),
        }
    }

    /// The same, which carries out the calls of other nodes by `calls`.
    #[must_use]
    pub fn with_calls(self, calls: Arc<Calls>) -> Self {
        Self { calls: Some(calls), ..self }
    }

    /// The same, which tells `ghosts` of each node that is gone.
    #[must_use]
    pub fn with_ghosts(self, ghosts: Arc<Ghosts>) -> Self {
        Self { ghosts: Some(ghosts), ..self }
    }

    /// This node, with its current connections.
    #[must_use]
    pub fn me(&self) -> NodeInfo {
        let connections = self.metrics.connections.count();
        let announcements = self.announcements.load(Ordering::Relaxed);
        let leaving = self.leaving.load(Ordering::Relaxed);
        let metrics = self.metrics_at.get().cloned();
        NodeInfo { connections, announcements, leaving, metrics, ..self.me.clone() }
    }

    /// This node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.me.name
    }

    /// Sets the URL of this node's metrics, which the others learn from its next announcement. The first call counts.
    pub fn advertise(&self, metrics: String) {
        self.metrics_at.get_or_init(|| metrics);
    }

    /// From now on this node announces that it is being drained. It stays in the registry until [`Cluster::run`] ends.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// All nodes as last seen, this node included.
    #[must_use]
    pub fn nodes(&self) -> Arc<[NodeInfo]> {
        self.nodes.read().clone()
    }

    /// Keeps the view up to date until `shutdown`, then takes this node out of the registry.
    pub async fn run(&self, mut controls: mpsc::Receiver<ControlMessage>, shutdown: CancellationToken) {
        let mut renew = tokio::time::interval(RENEW_EVERY);
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut is_announced, mut duplicate_names) = (false, DuplicateNames::default());
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = renew.tick() => {
                    self.announcements.fetch_add(1, Ordering::Relaxed);
                    let announced = self.registry.announce(&self.me()).await;
                    if announced.is_ok() && !std::mem::replace(&mut is_announced, true) {
                        self.tell_all(&Control::NodesChanged);
                    }
                    note("announce", announced);
                    self.look(&mut duplicate_names).await;
                }
                Some(message) = controls.recv() => self.hear(&message, &mut duplicate_names).await,
            }
        }
        note("withdraw", self.registry.withdraw().await);
        self.tell_all(&Control::NodesChanged);
    }

    async fn look(&self, duplicate_names: &mut DuplicateNames) {
        match self.registry.nodes().await {
            Ok(nodes) => {
                for other in duplicate_names.look(&self.me(), &nodes) {
                    tracing::warn!(
                        name = self.me.name,
                        incarnation = self.me.incarnation,
                        other,
                        "another node has this node's name: give each its own (node.name)"
                    );
                }
                self.metrics.duplicate_names.set(i64::try_from(duplicate_names.live()).unwrap_or(i64::MAX));
                self.replace(nodes);
            }
            failed => note("read", failed.map(drop)),
        }
    }

    /// Takes the nodes that there are now.
    fn replace(&self, nodes: Vec<NodeInfo>) {
        let nodes: Arc<[NodeInfo]> = nodes.into();
        let before = std::mem::replace(&mut *self.nodes.write(), nodes.clone());
        let is_gone = |node: &NodeInfo| !nodes.iter().any(|still| still.incarnation == node.incarnation);
        if let Some(ghosts) = &self.ghosts
            && before.iter().any(is_gone)
        {
            ghosts.node_is_gone();
        }
    }

    async fn hear(&self, message: &ControlMessage, duplicate_names: &mut DuplicateNames) {
        match serde_json::from_slice(&message.body) {
            Ok(Control::NodesChanged) => self.look(duplicate_names).await,
            Ok(Control::Exchange(exchange)) => {
                let Some(calls) = self.calls.clone() else { return };
                // At once, since these come in an order.
                let Some(exchange) = calls.hear_feed(exchange) else { return };
                let from = message.from;
                // A subscribe waits for the broker: the next message does not.
                tokio::spawn(async move { calls.hear(from, exchange).await });
            }
            // A newer node may send more kinds of messages.
            Err(error) => tracing::debug!(from = %message.from, %error, "control message not understood"),
        }
    }

    fn tell_all(&self, control: &Control) {
        match serde_json::to_vec(control) {
            Ok(body) => self.broker.control(Recipient::All, Bytes::from(body)),
            Err(error) => tracing::error!(%error, "control message not encoded"),
        }
    }
}

fn note(what: &str, result: Result<(), RegistryError>) {
    if let Err(error) = result {
        tracing::debug!(what, %error, "node registry");
    }
}
