//! One broadcast reaches every client on every node: once, in each publisher's order.

#![expect(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fanfare_swarm::{
    client::Target,
    verify::{self, Plan},
};
use fanfare_testkit::{PATIENCE, RawClient, TestCluster};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const CHANNEL: &str = "/ws/everybody";

fn plan(cluster: &TestCluster, subscribers: usize, seed: u64) -> Plan {
    let target = |url: String| Target::parse(&url, "/").unwrap();
    Plan {
        targets: cluster.nodes.iter().map(|node| target(node.ws(CHANNEL))).collect(),
        subscribers,
        publishers: 50,
        messages: 100,
        seed,
        patience: PATIENCE,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_gets_every_message_once_in_each_publishers_order() {
    let cluster = TestCluster::start(3).await;
    let summary = verify::run(&plan(&cluster, 250, 1)).await.unwrap();
    assert!(summary.is_right(), "{summary}");
    assert_eq!(summary.verdict.received, 300 * 50 * 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_who_come_and_go_change_nothing_for_those_who_stay() {
    const COME_AND_GO: usize = 3000;
    let cluster = TestCluster::start(3).await;
    let stop = CancellationToken::new();
    let gone = Arc::new(AtomicUsize::new(0));
    let mut churn = JoinSet::new();
    for (number, node) in cluster.nodes.iter().cycle().take(6).enumerate() {
        churn.spawn(come_and_go(number, node.address(), gone.clone(), stop.clone()));
    }
    // As many runs as it takes until thousands came and went during them.
    let mut seed = 2;
    while seed == 2 || gone.load(Ordering::Relaxed) < COME_AND_GO {
        let summary = verify::run(&plan(&cluster, 10, seed)).await.unwrap();
        assert!(summary.is_right(), "after {} came and went: {summary}", gone.load(Ordering::Relaxed));
        seed += 1;
    }
    stop.cancel();
    while let Some(ended) = churn.join_next().await {
        ended.unwrap();
    }
    for node in &cluster.nodes {
        node.sees(&[("node-1", 0), ("node-2", 0), ("node-3", 0)]).await;
    }
}

/// Connects and leaves: on the channel that is checked, on its own, on one that others come to as well.
async fn come_and_go(
    number: usize,
    node: std::net::SocketAddr,
    gone: Arc<AtomicUsize>,
    stop: CancellationToken,
) {
    let paths = [CHANNEL.to_owned(), format!("/ws/own-{number}"), "/ws/shared".to_owned()];
    for path in paths.iter().cycle() {
        if stop.is_cancelled() {
            return;
        }
        let mut client = RawClient::connect(node).await;
        let answer = client.upgrade(path, &[]).await;
        assert_eq!(answer.status, 101, "{path}: {}", answer.text());
        // Dropped without a goodbye: most who leave say none.
        drop(client);
        gone.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
