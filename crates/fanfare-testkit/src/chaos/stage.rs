//! Three nodes behind HAProxy, the servers of Redis, and a proxy on each way from a node to a server. Each node is a
//! process that keeps its address for all of its lives.

use std::{fmt::Write as _, path::Path};

use tokio::sync::Mutex;

use super::{
    plan::{NODES, Topology},
    servers::Servers,
};
use crate::{Balancer, Endpoint, Process, Proxy};

/// The namespace of the checker. It keeps all messages of a run. A relay client is told of a loss by a close, and by the
/// answer to its return.
const CONFIG: &str = r#"
[[namespace]]
name = "chat"
history_size = 100000
history_ttl = "30m"
history = "anonymous"
on_interruption = "close"
"#;

/// HAProxy notices within a second that a node drains.
const DRAIN: [(&str, &str); 3] =
    [("FANFARE_DRAIN__GRACE", "1500ms"), ("FANFARE_DRAIN__RATE", "100"), ("FANFARE_DRAIN__TIMEOUT", "6s")];

/// The nodes' counters of faults: they show whether faults had an effect.
const COUNTS: [(&str, &str); 8] = [
    ("interruptions", "fanfare_broker_interruptions_total"),
    ("overflows", "fanfare_broker_interruptions_total{reason=\"overflow\"}"),
    ("healed", "fanfare_history_heals_total{result=\"healed\"}"),
    ("not healed", "fanfare_history_heals_total{result=\"failed\"}"),
    ("duplicates", "fanfare_history_duplicates_total"),
    ("replays", "fanfare_redis_replays_total"),
    ("recoveries from tails", "fanfare_history_recoveries_total{result=\"tail\"}"),
    ("recoveries by reads", "fanfare_history_recoveries_total{result=\"read\"}"),
];

/// The processes.
#[derive(Debug)]
pub struct Stage {
    /// HAProxy.
    pub balancer: Balancer,
    pub(super) servers: Servers,
    /// By node and server.
    proxies: Vec<Vec<Vec<Proxy>>>,
    pub(super) nodes: Vec<Mutex<Node>>,
}

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    name: String,
    endpoint: Endpoint,
    /// The URL of Redis, through the proxies.
    redis: String,
    pub(super) process: Process,
    /// The logs of its earlier lives.
    log: String,
}

impl Node {
    async fn start(number: usize, redis: String) -> Self {
        let (name, endpoint) = (format!("node{number}"), Endpoint::lasting());
        let process = serve(&name, endpoint, &redis).await;
        Self { name, endpoint, redis, process, log: String::new() }
    }

    /// Starts it again, after it has ended. Returns once it listens.
    pub(super) async fn start_again(&mut self) {
        self.log += &self.process.log();
        self.log += "--- started again ---\n";
        self.process = serve(&self.name, self.endpoint, &self.redis).await;
    }
}

async fn serve(name: &str, endpoint: Endpoint, redis: &str) -> Process {
    let address = endpoint.address().to_string();
    Process::serve_with(&["--listen", &address, "--node", name, "--broker", redis], CONFIG, &DRAIN).await
}

impl Stage {
    /// Starts all of it. Returns once all nodes are ready.
    pub async fn start(redis: Topology) -> Self {
        let servers = Servers::start(redis).await;
        let (mut proxies, mut nodes) = (Vec::new(), Vec::new());
        for number in 1..=NODES {
            let ways = servers.proxies().await;
            nodes.push(Node::start(number, servers.url(&ways).await).await);
            proxies.push(ways);
        }
        let endpoints: Vec<Endpoint> = nodes.iter().map(|node| node.endpoint).collect();
        let balancer = Balancer::start(&endpoints).await;
        let nodes = nodes.into_iter().map(Mutex::new).collect();
        let stage = Self { balancer, servers, proxies, nodes };
        stage.is_well().await;
        stage
    }

    /// Waits until all nodes are ready.
    pub async fn is_well(&self) {
        for node in &self.nodes {
            node.lock().await.process.is_ready().await;
        }
    }

    /// The counts of the nodes since their last start.
    pub async fn counts(&self) -> String {
        let mut sums = COUNTS.map(|(name, _)| (name, 0.0));
        for node in &self.nodes {
            let metrics = node.lock().await.process.metrics().await;
            for ((_, sum), (_, series)) in sums.iter_mut().zip(COUNTS) {
                *sum += metrics.sum(series);
            }
        }
        sums.map(|(name, sum)| format!("{name} {sum}")).join(", ")
    }

    /// The proxies between a node and a server.
    pub(super) fn way(&self, node: usize, server: usize) -> &[Proxy] {
        self.proxies.get(node).and_then(|servers| servers.get(server)).map_or(&[], Vec::as_slice)
    }

    /// The number of the server that a channel is on.
    pub(super) async fn server_of(&self, channel: &str) -> usize {
        match self.nodes.first() {
            Some(node) => Servers::of(&node.lock().await.redis, channel),
            None => 0,
        }
    }

    /// The address of a node.
    pub(super) async fn endpoint(&self, node: usize) -> Option<Endpoint> {
        Some(self.nodes.get(node)?.lock().await.endpoint)
    }

    /// Writes the logs of nodes and HAProxy into a folder.
    ///
    /// # Panics
    /// If they cannot be written.
    pub async fn write_logs(&self, folder: &Path) {
        let mut logs = vec![("haproxy".to_owned(), self.balancer.log())];
        for node in &self.nodes {
            let node = node.lock().await;
            let mut log = node.log.clone();
            // Writing to a string cannot fail.
            let _ = log.write_str(&node.process.log());
            logs.push((node.name.clone(), log));
        }
        let written = std::fs::create_dir_all(folder).and_then(|()| {
            logs.iter()
                .try_for_each(|(name, log)| std::fs::write(folder.join(name).with_extension("log"), log))
        });
        if let Err(error) = written {
            panic!("{}: {error}", folder.display());
        }
        eprintln!("the logs are in {}", folder.display());
    }
}
