//! Two Redis servers that both take writes, with nodes on each.

use std::time::Duration;

use fanfare_broker_suite::{Outages, RedisServer, TestNode, eventually};
use fanfare_core::{
    Channel, NodeInfo,
    broker::{BrokerState, Interruption},
};
use tokio::time::sleep;

use crate::support::{Switch, assert_restored, channel, config};

/// Two subscribed nodes on one server, and a second server.
struct Cluster {
    servers: [RedisServer; 2],
    switch: Switch,
    nodes: [TestNode; 2],
    channel: Channel,
}

impl Cluster {
    async fn start() -> Self {
        let servers = [RedisServer::start().await.unwrap(), RedisServer::start().await.unwrap()];
        let switch = Switch::to(servers[0].port()).await;
        let nodes = [TestNode::start(config(switch.port)), TestNode::start(config(switch.port))];
        let channel = channel("split");
        for node in &nodes {
            node.is_up().await;
            node.subscribe(&channel).await.unwrap();
        }
        assert_restored(&nodes[0], &nodes[1], &channel).await;
        Self { servers, switch, nodes, channel }
    }

    /// Ends the connections of a node to the first server, one after the other: the node may come back with the first
    /// while it still has the other.
    async fn cut(&self, node: usize) {
        let name = self.nodes[node].incarnation.to_string();
        let list: String = self.servers[0].run(redis::cmd("CLIENT").arg("LIST")).await.unwrap();
        for client in list.lines().filter(|client| client.contains(&name)) {
            let id = client.split_whitespace().find_map(|field| field.strip_prefix("id=")).unwrap();
            let _killed: usize =
                self.servers[0].run(redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id)).await.unwrap();
        }
    }

    /// The name leads to the second server from now on, and one node goes there.
    async fn split(&self) {
        self.switch.leads_to(self.servers[1].port());
        self.cut(1).await;
        let outages = || self.nodes[1].recorder.outages().outages.len();
        eventually("one node is on the second server", || outages() == 1).await;
        self.nodes[1].publish_text(&self.channel, "nobody else hears it").await.unwrap();
    }

    /// Announces a node, as a whole node does itself.
    async fn announce(&self, node: usize, announcements: u64) {
        let info = NodeInfo { announcements, ..self.nodes[node].info("node") };
        self.nodes[node].started.registry.announce(&info).await.unwrap();
    }

    fn causes(&self, node: usize) -> Vec<Interruption> {
        self.nodes[node].recorder.outages().causes
    }

    /// The lengths of the splits that a node was told, and that are over.
    fn splits(&self, node: usize) -> Vec<Duration> {
        let Outages { causes, outages, .. } = self.nodes[node].recorder.outages();
        let all = causes.into_iter().zip(outages);
        all.filter(|(cause, _)| *cause == Interruption::Split).map(|(_, length)| length).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_counts_when_its_node_comes_back() {
    let cluster = Cluster::start().await;
    cluster.split().await;
    assert_eq!(cluster.causes(0), [], "nothing tells it yet");
    // The node still hears itself there.
    let heard = cluster.nodes[0].counter("fanfare_redis_commands_total", Some("canary"));
    let is_heard = || cluster.nodes[0].counter("fanfare_redis_commands_total", Some("canary")) > heard + 2.0;
    eventually("it hears itself", is_heard).await;
    cluster.cut(0).await;
    eventually("it is told for how long", || cluster.splits(0).len() == 1).await;
    assert!(cluster.splits(0)[0] > Duration::ZERO);
    for (from, to) in [(0, 1), (1, 0)] {
        assert_restored(&cluster.nodes[from], &cluster.nodes[to], &cluster.channel).await;
    }
    assert_eq!(cluster.splits(0).len(), 1, "once");
    assert_eq!(cluster.splits(1), [], "it was where the name leads");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stayed_follows_the_name() {
    let cluster = Cluster::start().await;
    for node in [0, 1] {
        cluster.announce(node, 0).await;
    }
    cluster.split().await;
    let mut was_split = false;
    for announcements in 1.. {
        for node in [0, 1] {
            cluster.announce(node, announcements).await;
        }
        was_split |= cluster.nodes[0].broker().overall_state() == BrokerState::Split;
        // The other one missed the publications of this one, and is told too.
        if [0, 1].iter().all(|node| cluster.splits(*node).len() == 1) {
            break;
        }
        assert!(announcements < 100, "{:?} {:?}", cluster.causes(0), cluster.causes(1));
        sleep(Duration::from_millis(700)).await;
    }
    assert!(was_split, "it is not ready meanwhile");
    for (from, to) in [(0, 1), (1, 0)] {
        assert_restored(&cluster.nodes[from], &cluster.nodes[to], &cluster.channel).await;
    }
    cluster.announce(0, 1000).await;
    assert_eq!(cluster.nodes[0].broker().overall_state(), BrokerState::Up);
    assert_eq!([0, 1].map(|node| cluster.splits(node).len()), [1, 1], "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_is_not_a_second_one() {
    let mut cluster = Cluster::start().await;
    cluster.cut(0).await;
    eventually("it is back", || cluster.nodes[0].recorder.outages().outages.len() == 1).await;
    cluster.servers[0].restart().await.unwrap();
    eventually("both are back", || {
        let is_back = |node: &TestNode, times| node.recorder.outages().outages.len() == times;
        is_back(&cluster.nodes[0], 2) && is_back(&cluster.nodes[1], 1)
    })
    .await;
    for node in [0, 1] {
        cluster.announce(node, 0).await;
        cluster.nodes[node].is_up().await;
        assert!(!cluster.causes(node).contains(&Interruption::Split));
    }
}
