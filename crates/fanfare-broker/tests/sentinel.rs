//! A Redis behind Sentinels passes the suite.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by a panic, as the test does")]

use std::time::Duration;

use fanfare_broker::BrokerConfig;
use fanfare_broker_suite::{Bus, PATIENCE, SentinelServers, TestNode, eventually};
use fanfare_core::{
    Channel, Partition, Payload, Position, Publish, Retention,
    broker::Interruption,
    history::{Page, Range},
};
use tokio::time::{sleep, timeout};

struct Sentinel(SentinelServers);

impl Bus for Sentinel {
    const NODES: usize = 2;

    async fn start() -> Self {
        Self(SentinelServers::start().await.unwrap())
    }

    fn config(&self) -> BrokerConfig {
        self.0.url().parse().unwrap()
    }
}

fanfare_broker_suite::broker_suite!(Sentinel);

/// Nodes that are subscribed to a channel, on a Redis that can fail over.
async fn subscribed() -> (Sentinel, Vec<TestNode>, Channel) {
    let bus = Sentinel::start().await;
    bus.0.is_whole().await.unwrap();
    let nodes = bus.nodes().await;
    let channel = Channel::new("chat").unwrap();
    for node in &nodes {
        node.subscribe(&channel).await.unwrap();
    }
    (bus, nodes, channel)
}

/// Waits until all nodes are on the new master: a message from each reaches both.
async fn all_hear_all(nodes: &[TestNode], channel: &Channel) {
    for node in nodes {
        eventually("the interruption is over", || {
            let outages = node.recorder.outages();
            !outages.causes.is_empty() && outages.causes.len() == outages.outages.len()
        })
        .await;
    }
    for (at, node) in nodes.iter().enumerate() {
        let has = |text: &String| nodes.iter().all(|node| node.recorder.texts(channel).contains(text));
        let text = format!("from {at}");
        let sent = async {
            // A node may go to another server once more.
            while !has(&text) {
                let _ = node.publish_text(channel, &text).await;
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, sent).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_follow_an_ordered_failover() {
    let (bus, nodes, channel) = subscribed().await;
    let before = bus.0.master().await.unwrap();
    let shown = |master: usize| Some(format!("127.0.0.1:{}", bus.0.servers[master].port()));
    assert_eq!(nodes[0].broker().server(Partition(0)), shown(before));
    bus.0.fail_over().await.unwrap();
    bus.0.switched_from(before).await.unwrap();
    all_hear_all(&nodes, &channel).await;
    let master = bus.0.master().await.unwrap();
    eventually("the new master is shown", || nodes[0].broker().server(Partition(0)) == shown(master)).await;
    let causes: Vec<_> = nodes.iter().flat_map(|node| node.recorder.outages().causes).collect();
    let is_of_a_switch = |cause: &Interruption| matches!(cause, Interruption::Demoted | Interruption::Lost);
    assert!(causes.iter().all(is_of_a_switch), "{causes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_follow_the_death_of_the_master() {
    let (mut bus, nodes, channel) = subscribed().await;
    let before = bus.0.master().await.unwrap();
    bus.0.servers[before].kill().await.unwrap();
    bus.0.switched_from(before).await.unwrap();
    all_hear_all(&nodes, &channel).await;
}

/// Keeps a message. Its position, once a server took it.
async fn keep(node: &TestNode, channel: &Channel, text: &str) -> Position {
    let retention = Retention { size: 100, ttl: Duration::from_secs(60) };
    let kept = || {
        let publish = Publish::new(channel.clone(), Payload::text(text)).kept(Some(retention));
        async { node.hand_over(publish).await.unwrap() }
    };
    let taken = async {
        loop {
            if let Ok(taken) = kept().await {
                return taken.position.unwrap();
            }
        }
    };
    timeout(PATIENCE, taken).await.unwrap()
}

/// The history of a channel, once this node is at a master.
async fn read(node: &TestNode, channel: &Channel) -> Page {
    let whole = Range::After { offset: 0, limit: 100 };
    let read = async {
        loop {
            if let Ok(page) = node.started.backend.history.read(channel, whole).await {
                return page;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, read).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failover_lost_is_known() {
    let (mut bus, nodes, channel) = subscribed().await;
    let [node, other] = &nodes[..] else { panic!("two nodes") };
    let master = bus.0.master().await.unwrap();
    let mut before = Vec::new();
    for number in 1..=5 {
        before.push(keep(node, &channel, &number.to_string()).await);
    }
    let replicated: u64 = bus.0.servers[master].run(redis::cmd("WAIT").arg(2).arg(10_000)).await.unwrap();
    assert_eq!(replicated, 2);
    // From now on the replicas get nothing.
    bus.0.cut_replicas(master).await.unwrap();
    for number in 6..=8 {
        before.push(keep(node, &channel, &format!("lost {number}")).await);
    }
    bus.0.servers[master].kill().await.unwrap();
    bus.0.switched_from(master).await.unwrap();
    let after = keep(other, &channel, "after").await;
    assert_eq!((before[7].offset, after.offset), (8, 6));
    assert_ne!(before[7].epoch, after.epoch);
    let page = read(other, &channel).await;
    assert_eq!((page.top, page.publications.len()), (after, 6));
    let known: Vec<_> = before.iter().map(|position| page.knows(*position)).collect();
    assert_eq!(known, [true, true, true, true, true, false, false, false]);
    assert_eq!(keep(node, &channel, "again").await.epoch, after.epoch, "the epoch stays");
    // A master that comes back after another one does not know what that one took.
    let master = bus.0.master().await.unwrap();
    let mut older = redis::cmd("HSET");
    older.arg("fanfare!meta:chat").arg("r").arg("0123456789abcdef:0");
    let _: u64 = bus.0.servers[master].run(&older).await.unwrap();
    let _: u64 = bus.0.servers[master].run(redis::cmd("WAIT").arg(1).arg(10_000)).await.unwrap();
    bus.0.fail_over().await.unwrap();
    bus.0.switched_from(master).await.unwrap();
    let last = keep(node, &channel, "last").await;
    let page = read(other, &channel).await;
    assert_eq!(page.top, last);
    assert!(!page.knows(after), "nobody can tell whether it goes on from there");
    assert_eq!(page.continues.first().unwrap().offset + 1, last.offset);
}

/// A master that is frozen and comes back takes writes until the Sentinels reach it. The nodes do not go back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_master_that_comes_back_is_left() {
    let (bus, nodes, channel) = subscribed().await;
    let before = bus.0.master().await.unwrap();
    bus.0.servers[before].stop_process().unwrap();
    bus.0.switched_from(before).await.unwrap();
    bus.0.servers[before].continue_process().unwrap();
    all_hear_all(&nodes, &channel).await;
    let causes: Vec<_> = nodes.iter().map(|node| node.recorder.outages().causes[0]).collect();
    let is_of_a_switch = |cause: &Interruption| matches!(cause, Interruption::Demoted | Interruption::Lost);
    assert!(causes.iter().all(is_of_a_switch), "{causes:?}");
}

#[tokio::test]
async fn an_unknown_master_is_a_mistake() {
    let bus = Sentinel::start().await;
    let node = TestNode::start(bus.0.url().replace("/main", "/other").parse().unwrap());
    let channel = Channel::new("chat").unwrap();
    let refused = node.subscribe(&channel).await.unwrap_err().to_string();
    assert!(refused.contains("know no master named other"), "{refused}");
}
