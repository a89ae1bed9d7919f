//! A subscriber gets every message published anywhere after its 101, and none from before.

use std::time::Duration;

use fanfare_testkit::{Direction, Message, Proxy, Setup, TestCluster, TestNode};

const ROUNDS: usize = 100;

/// Checks that a new client on `node` gets the messages published after its 101 first: through another node's API, and by
/// a plain PUBLISH.
async fn newcomer_gets(cluster: &TestCluster, node: &TestNode, channel: &str, round: usize) {
    let other = cluster.nodes.last().unwrap();
    let (before, api, plain) = (format!("before {round}"), format!("api {round}"), format!("plain {round}"));
    other.publish(channel, before.as_str()).await;
    let mut client = node.connect(&format!("/ws/{channel}")).await;
    other.publish(channel, api.as_str()).await;
    cluster.plain_publish(channel, plain.as_bytes()).await;
    let mut next = client.next().await;
    if next == Message::text(&before) {
        // On the way to this node when the client joined; it may come, and only first.
        next = client.next().await;
    }
    assert_eq!(next, Message::text(api));
    client.expect(&plain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_member_gets_later_messages() {
    let cluster = TestCluster::start(2).await;
    for round in 0..ROUNDS {
        newcomer_gets(&cluster, &cluster.nodes[0], &format!("first-{round}"), round).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_after_the_last_gets_later_messages() {
    let cluster = TestCluster::start(2).await;
    for round in 0..ROUNDS {
        newcomer_gets(&cluster, &cluster.nodes[0], "again", round).await;
        if round % 25 == 0 {
            // About the time that a node keeps an unused channel.
            tokio::time::sleep(Duration::from_millis(950 + 2 * round as u64)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_member_gets_later_messages() {
    let cluster = TestCluster::start(2).await;
    let _others = [cluster.nodes[0].connect("/ws/busy").await, cluster.nodes[1].connect("/ws/busy").await];
    for round in 0..ROUNDS {
        newcomer_gets(&cluster, &cluster.nodes[0], "busy", round).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_101_waits_for_a_slow_redis() {
    let cluster = TestCluster::start(1).await;
    let proxy = Proxy::start(cluster.redis.port()).await;
    let slow = Setup::redis(&proxy.url()).named("slow").start().await;
    proxy.delay(Direction::ToClient, Duration::from_millis(100));
    for round in 0..20 {
        newcomer_gets(&cluster, &slow, &format!("late-{round}"), round).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_member_gets_no_old_messages() {
    let cluster = TestCluster::start(2).await;
    let [here, there] = [&cluster.nodes[0], &cluster.nodes[1]];
    // One for each shard of the node.
    let mut others = Vec::new();
    for _ in 0..8 {
        others.push(here.connect("/ws/ghosts").await);
    }
    for round in 0..ROUNDS {
        let (old, new) = (format!("old {round}"), format!("new {round}"));
        there.publish("ghosts", old.as_str()).await;
        for other in &mut others {
            other.expect(&old).await;
        }
        let mut newcomer = here.connect("/ws/ghosts").await;
        there.publish("ghosts", new.as_str()).await;
        newcomer.expect(&new).await;
        for other in &mut others {
            other.expect(&new).await;
        }
    }
}
