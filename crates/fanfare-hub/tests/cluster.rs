//! A node that comes or goes is seen by the others at once: control messages tell them before their next turn.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fanfare_core::{
    Broker, BrokerEvents, Incarnation, Limits, Namespaces, NodeInfo, Registry,
    broker::ControlMessage,
    registry::{RegistryError, RegistryFuture},
};
use fanfare_hub::{Cluster, Dispatcher, HubMetrics, ghosts::UNTIL_DEAD};
use parking_lot::Mutex;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    news::{Haunted, watcher},
    support::{Lines, Recorder, settle},
};

/// The list that all nodes share; `None` while it cannot be reached.
type Entries = Arc<Mutex<Option<BTreeMap<String, NodeInfo>>>>;

/// One node's way to the shared list.
struct SharedRegistry {
    entries: Entries,
    me: String,
}

impl SharedRegistry {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, NodeInfo>) -> T) -> Result<T, RegistryError> {
        self.entries.lock().as_mut().map(act).ok_or_else(|| RegistryError("away".to_owned()))
    }
}

impl Registry for SharedRegistry {
    fn announce(&self, node: &NodeInfo) -> RegistryFuture<'_, ()> {
        let announced = self.with(|entries| drop(entries.insert(self.me.clone(), node.clone())));
        Box::pin(async { announced })
    }

    fn withdraw(&self) -> RegistryFuture<'_, ()> {
        let withdrawn = self.with(|entries| drop(entries.remove(&self.me)));
        Box::pin(async { withdrawn })
    }

    fn nodes(&self) -> RegistryFuture<'_, Vec<NodeInfo>> {
        let nodes = self.with(|entries| entries.values().cloned().collect());
        Box::pin(async { nodes })
    }
}

/// Two nodes that hear each other and do not run yet.
struct Pair {
    entries: Entries,
    clusters: [Arc<Cluster>; 2],
    controls: [Option<mpsc::Receiver<ControlMessage>>; 2],
    connections: [Arc<HubMetrics>; 2],
}

impl Pair {
    fn new() -> Self {
        Self::called("east", "west")
    }

    /// Incarnations `east` and `west`, by these names.
    fn called(east_name: &str, west_name: &str) -> Self {
        let entries = Entries::new(Mutex::new(Some(BTreeMap::new())));
        let metrics = || Arc::new(HubMetrics::register(&prometheus::Registry::new()).unwrap());
        let connections = [metrics(), metrics()];
        let node = |metrics: &Arc<HubMetrics>| {
            let namespaces = Arc::new(Namespaces::default());
            Dispatcher::new(Incarnation(1), 1, namespaces, &Limits::default(), metrics.clone())
        };
        let [(east, east_controls), (west, west_controls)] = [node(&connections[0]), node(&connections[1])];
        let nodes: Vec<Arc<dyn BrokerEvents>> = vec![Arc::new(east), Arc::new(west)];
        let broker: Arc<dyn Broker> = Recorder::new(nodes);
        let cluster = |incarnation: &str, name: &str, metrics: &Arc<HubMetrics>| {
            let registry = SharedRegistry { entries: entries.clone(), me: incarnation.to_owned() };
            let me = NodeInfo { name: name.to_owned(), ..info(incarnation) };
            Arc::new(Cluster::new(me, Arc::new(registry), broker.clone(), metrics.clone()))
        };
        let clusters =
            [cluster("east", east_name, &connections[0]), cluster("west", west_name, &connections[1])];
        Self { entries, clusters, controls: [Some(east_controls), Some(west_controls)], connections }
    }

    fn run(&mut self, at: usize) -> (CancellationToken, JoinHandle<()>) {
        let shutdown = CancellationToken::new();
        let (cluster, controls) = (self.clusters[at].clone(), self.controls[at].take().unwrap());
        let (stop, ended) = (shutdown.clone(), async move { cluster.run(controls, shutdown).await });
        (stop, tokio::spawn(ended))
    }

    /// The names of the nodes that a node sees.
    fn seen_by(&self, at: usize) -> Vec<String> {
        self.clusters[at].nodes().iter().map(|node| node.name.clone()).collect()
    }
}

fn info(name: &str) -> NodeInfo {
    NodeInfo { incarnation: name.to_owned(), ..NodeInfo::first(Incarnation(0), name, 1) }
}

#[tokio::test(start_paused = true)]
async fn comings_and_goings_are_seen_at_once() {
    let mut pair = Pair::new();
    assert_eq!(pair.seen_by(0), ["east"], "before it looks it knows itself");
    let _east = pair.run(0);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let turn = Instant::now();
    let (stop_west, west) = pair.run(1);
    settle().await;
    assert_eq!(
        (pair.seen_by(0), pair.seen_by(1)),
        (vec!["east".into(), "west".into()], vec!["east".into(), "west".into()])
    );
    stop_west.cancel();
    west.await.unwrap();
    settle().await;
    assert_eq!(pair.seen_by(0), ["east"]);
    assert!(turn.elapsed() < Duration::from_secs(1), "its next turn comes later");
}

#[tokio::test(start_paused = true)]
async fn without_a_registry_the_last_view_stays() {
    let mut pair = Pair::new();
    let (_east, _west) = (pair.run(0), pair.run(1));
    settle().await;
    (0..5).for_each(|_| pair.connections[1].connections.opened(Lines::answering(), "pipe"));
    let entries = pair.entries.lock().take();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(pair.seen_by(0), ["east", "west"]);
    *pair.entries.lock() = entries;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(pair.clusters[0].nodes()[1].connections, 5);
    assert_eq!(pair.clusters[1].me().connections, 5);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_control_message_is_ignored() {
    let mut pair = Pair::new();
    let (controls, heard) = mpsc::channel(1);
    pair.controls[0] = Some(heard);
    let (stop, running) = pair.run(0);
    for body in [&b"{\"type\":\"unheard_of\"}"[..], b"\xff"] {
        let body = bytes::Bytes::from_static(body);
        controls.send(ControlMessage { from: Incarnation(2), body }).await.unwrap();
    }
    settle().await;
    assert!(!running.is_finished());
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_live_duplicate_counts_until_it_goes() {
    let mut pair = Pair::called("same", "same");
    let (_east, (stop_west, west)) = (pair.run(0), pair.run(1));
    let conflicts = |pair: &Pair| pair.connections.each_ref().map(|metrics| metrics.duplicate_names.get());
    settle().await;
    assert_eq!(conflicts(&pair), [0, 0], "it may be an entry of an earlier run");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(conflicts(&pair), [1, 1]);
    assert_eq!(pair.seen_by(0), ["same", "same"], "both are listed all the same");
    stop_west.cancel();
    west.await.unwrap();
    settle().await;
    assert_eq!(conflicts(&pair)[0], 0);
}

#[tokio::test(start_paused = true)]
async fn a_drained_node_is_not_a_duplicate() {
    let mut pair = Pair::called("same", "same");
    let _west = pair.run(1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    pair.clusters[1].leave();
    let _east = pair.run(0);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(pair.seen_by(0), ["same", "same"]);
    assert_eq!(pair.connections.each_ref().map(|metrics| metrics.duplicate_names.get()), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_killed_node_is_not_a_duplicate() {
    let mut pair = Pair::called("same", "same");
    let (_stop, west) = pair.run(1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    west.abort();
    let _east = pair.run(0);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(pair.seen_by(0), ["same", "same"], "nothing expires in this registry");
    assert_eq!(pair.connections[0].duplicate_names.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_goes_leaves_no_ghosts() {
    let (node, haunted) = Haunted::node();
    let watcher = watcher(&node, "a").await;
    let pair = Pair::new();
    let [east, west] = pair.clusters;
    let east = Arc::into_inner(east).unwrap().with_ghosts(node.hub.ghosts.clone());
    let mut pair = Pair { clusters: [Arc::new(east), west], ..pair };
    let (_east, (stop_west, west)) = (pair.run(0), pair.run(1));
    tokio::time::sleep(UNTIL_DEAD * 2).await;
    assert!(haunted.reads.lock().is_empty(), "both are there");
    stop_west.cancel();
    west.await.unwrap();
    tokio::time::sleep(UNTIL_DEAD + Duration::from_secs(1)).await;
    assert_eq!(watcher.lines(), ["left a 5"]);
}
