//! Three servers of Redis pass the suite as one broker, and each fails by itself.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by a panic, as the test does")]

use std::time::Duration;

use fanfare_broker::BrokerConfig;
use fanfare_broker_suite::{Bus, RedisServer, TestNode, eventually};
use fanfare_core::{
    Broker, Channel, Partition, Payload, Position, Publish, Retention,
    broker::{BrokerState, Recipient},
};

struct Three(Vec<RedisServer>);

impl Three {
    /// The place of the server with this partition.
    fn server_of(&self, node: &TestNode, partition: Partition) -> usize {
        let name = node.broker().partition_name(partition).unwrap();
        self.0.iter().position(|server| name == format!("127.0.0.1:{}", server.port())).unwrap()
    }
}

impl Bus for Three {
    const NODES: usize = 2;

    async fn start() -> Self {
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(RedisServer::start().await.unwrap());
        }
        Self(servers)
    }

    fn config(&self) -> BrokerConfig {
        let urls: Vec<_> = self.0.iter().map(RedisServer::url).collect();
        urls.join(",").parse().unwrap()
    }
}

fanfare_broker_suite::broker_suite!(Three);

/// A channel of each partition.
fn one_of_each(broker: &dyn Broker) -> Vec<Channel> {
    let mut channels = (0..).map(|number| Channel::new(&format!("chat:{number}")).unwrap());
    let of = |at| channels.find(|channel| broker.partition_of(channel) == Partition(at)).unwrap();
    (0..broker.partitions()).map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_fails_by_itself() {
    let mut bus = Three::start().await;
    let nodes = bus.nodes().await;
    let [node, other] = &nodes[..] else { panic!("two nodes") };
    let channels = one_of_each(node.broker());
    for channel in &channels {
        node.subscribe(channel).await.unwrap();
        other.publish_text(channel, "before").await.unwrap();
    }
    assert!(node.broker().is_ready());
    let lost = Partition(1);
    for partition in [Partition(0), lost, Partition(2)] {
        let name = node.broker().partition_name(partition).unwrap();
        assert_eq!(node.broker().server(partition).as_deref(), Some(name));
    }
    let server = bus.server_of(node, lost);
    bus.0[server].kill().await.unwrap();
    eventually("it is away", || node.broker().state(lost) == BrokerState::Away).await;
    eventually("the other sees it", || other.broker().state(lost) == BrokerState::Away).await;
    assert!(node.broker().is_ready(), "the others are up");
    assert_eq!(node.broker().overall_state(), BrokerState::Away);
    for (channel, partition) in channels.iter().zip(0..) {
        let published = other.publish_text(channel, "meanwhile").await;
        assert_eq!(published.is_ok(), Partition(partition) != lost, "{channel}: {published:?}");
    }
    // Messages between nodes and their list go on.
    other.control(Recipient::Node(node.incarnation), "hello");
    eventually("a control message comes", || node.recorder.controls().len() == 1).await;
    for (node, name) in nodes.iter().zip(["a", "b"]) {
        node.started.registry.announce(&node.info(name)).await.unwrap();
    }
    assert_eq!(node.started.registry.nodes().await.unwrap().len(), 2);
    bus.0[server].restart().await.unwrap();
    eventually("all are up", || nodes.iter().all(|node| node.broker().overall_state() == BrokerState::Up))
        .await;
    for channel in &channels {
        other.publish_text(channel, "after").await.unwrap();
    }
    for (channel, partition) in channels.iter().zip(0..) {
        let expected: &[&str] = if Partition(partition) == lost {
            &["before", "after"]
        } else {
            &["before", "meanwhile", "after"]
        };
        eventually("all came", || node.recorder.texts(channel) == expected).await;
    }
    assert_eq!(node.recorder.outages().causes.len(), 1, "one partition was interrupted");
}

#[tokio::test]
async fn a_node_is_ready_once_all_were_up() {
    let mut bus = Three::start().await;
    bus.0[2].kill().await.unwrap();
    let node = TestNode::start(bus.config());
    let up =
        |node: &TestNode| (0..3).filter(|at| node.broker().state(Partition(*at)) == BrokerState::Up).count();
    eventually("two are up", || up(&node) == 2).await;
    assert!(!node.broker().is_ready());
    bus.0[2].restart().await.unwrap();
    eventually("it is ready", || node.broker().is_ready()).await;
    for server in &mut bus.0 {
        server.kill().await.unwrap();
    }
    eventually("none is up", || up(&node) == 0).await;
    assert!(!node.broker().is_ready());
}

/// The top of a channel's history, behind one more message.
async fn kept(node: &TestNode, channel: &Channel) -> Position {
    let retention = Retention { size: 10, ttl: Duration::from_secs(60) };
    let publish = Publish::new(channel.clone(), Payload::text("x")).kept(Some(retention));
    node.hand_over(publish).await.unwrap().unwrap().position.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_more_begins_its_channels_anew() {
    let bus = Three::start().await;
    let urls: Vec<_> = bus.0.iter().map(RedisServer::url).collect();
    let before = TestNode::start(urls[..2].join(",").parse().unwrap());
    let after = TestNode::start(bus.config());
    before.is_up().await;
    after.is_up().await;
    let new = format!("127.0.0.1:{}", bus.0[2].port());
    for channel in one_of_each(after.broker()) {
        let first = kept(&before, &channel).await;
        let second = kept(&after, &channel).await;
        let server = after.broker().partition_name(after.broker().partition_of(&channel)).unwrap();
        if server == new {
            assert_ne!(second.epoch, first.epoch, "clients with a position are told");
        } else {
            assert_eq!(second, Position { offset: 2, ..first }, "{channel} stays on {server}");
        }
    }
    // Both notice that their lists differ.
    for (node, name) in [(&before, "before"), (&after, "after"), (&before, "before")] {
        node.started.registry.announce(&node.info(name)).await.unwrap();
    }
    let conflicts = |node: &TestNode| node.counter("fanfare_redis_server_list_conflicts", None);
    assert_eq!((conflicts(&before), conflicts(&after)), (2.0, 2.0), "once for each common server");
}

#[tokio::test]
async fn series_name_their_server() {
    let bus = Three::start().await;
    let node = TestNode::start(bus.config());
    node.is_up().await;
    assert_eq!(node.counter("fanfare_broker_state", None), 3.0);
    for server in &bus.0 {
        let name = format!("127.0.0.1:{}", server.port());
        assert_eq!(node.counter("fanfare_broker_state", Some(&name)), 1.0, "{name} is in one state");
    }
}
