//! One broadcast reaches every client on every node: once, in each publisher's order.

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
use fanfare_testkit::{RawClient, TIMEOUT, TestCluster};
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
        patience: TIMEOUT,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_gets_every_message_once() {
    let cluster = TestCluster::start(3).await;
    let summary = verify::run(&plan(&cluster, 250, 1)).await.unwrap();
    assert!(summary.is_right(), "{summary}");
    assert_eq!(summary.verdict.received, 300 * 50 * 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_clients_change_nothing_for_others() {
    const COME_AND_GO: usize = 3000;
    let cluster = TestCluster::start(3).await;
    let stop = CancellationToken::new();
    let gone = Arc::new(AtomicUsize::new(0));
    let mut churn = JoinSet::new();
    for (number, node) in cluster.nodes.iter().cycle().take(6).enumerate() {
        churn.spawn(come_and_go(number, node.address(), gone.clone(), stop.clone()));
    }
    // Runs until thousands came and went during them.
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

/// Connects and leaves: on the checked channel, on a channel of its own, on a shared one.
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
        // Dropped without a close, as most clients leave.
        drop(client);
        gone.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
