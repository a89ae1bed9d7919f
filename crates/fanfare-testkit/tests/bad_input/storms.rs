//! Thousands of connections at once. The node is a process of its own, because one process has too few descriptors for
//! both ends.

use fanfare_testkit::{Endpoint, Process, RawClient, assert_eventually, metrics::closed};
use tokio::task::JoinSet;

use crate::support::Bystanders;

const CLIENTS: usize = 10_000;

/// A client with its 101. `None`: a refusal, with a sentence.
async fn come(node: Endpoint, number: usize) -> Option<RawClient> {
    let mut client = node.raw().await;
    let answer = client.upgrade(&format!("/ws/storm-{}", number % 100), &[]).await;
    if answer.status == 101 {
        return Some(client);
    }
    answer.is(503, "connect again");
    assert!(answer.header("retry-after").is_some());
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_is_served_or_told_to_retry() {
    // A busy machine takes long to write thousands of requests, and these clients answer no ping meanwhile.
    let patient = [("FANFARE_LIMITS__HANDSHAKE", "60s"), ("FANFARE_RELAY__PING_INTERVAL", "1h")];
    let node = Process::start_with("storm", "memory", &patient).await;
    let bystanders = Bystanders::meet(*node).await;
    let mut coming: JoinSet<_> = (0..CLIENTS).map(|number| come(*node, number)).collect();
    bystanders.notice_nothing().await;
    let mut served = Vec::new();
    while let Some(client) = coming.join_next().await {
        served.extend(client.expect("an answer"));
    }
    assert!(!served.is_empty());
    let count = served.len() as f64;
    let mut counted;
    assert_eventually!(
        {
            counted = node.metric("fanfare_connections").await;
            counted == count + 2.0
        },
        "{counted} connections are counted, of {count} clients and two bystanders"
    );
    bystanders.notice_nothing().await;
    // All go at once too.
    drop(served);
    assert_eventually!(node.metric("fanfare_connections").await == 2.0, "only the bystanders are left");
    assert_eventually!(node.metric(&closed("lost")).await == count, "all are lost");
    bystanders.notice_nothing().await;
}
