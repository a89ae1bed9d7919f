//! A node that runs out of descriptors keeps its clients, and refuses new ones with a sentence. With the real binary.

use fanfare_testkit::{Client, Endpoint, KEY, Process, RawClient, assert_eventually, metrics::hit};

const DESCRIPTORS: usize = 400;

/// The part of them for connections: half, because they are few.
const ROOM: usize = 200;

async fn node() -> Process {
    Process::start_limited(DESCRIPTORS, &[("FANFARE_LIMITS__HANDSHAKE", "2s")]).await
}

async fn is_well(node: &Endpoint, first: &mut Client, second: &mut Client) {
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(node.get(path).await.status, 200, "{path}");
    }
    first.text("still here").await;
    second.expect("still here").await;
    first.expect("still here").await;
}

async fn silent(node: &Endpoint, count: usize) -> Vec<RawClient> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(node.raw().await);
    }
    clients
}

async fn given_up(node: &Endpoint) -> bool {
    node.metric(&hit("descriptors")).await > 0.0
}

#[tokio::test]
async fn a_full_node_refuses_upgrades_only() {
    let node = node().await;
    let (mut first, mut second) = (node.connect("/chat").await, node.connect("/chat").await);
    let mut others = Vec::new();
    let refused = loop {
        let mut client = node.raw().await;
        let answer = client.upgrade("/others", &[]).await;
        if answer.status != 101 {
            break answer;
        }
        others.push(client);
    };
    assert_eq!(others.len() + 2, ROOM);
    refused.is(503, "limits.connections");
    assert!(refused.header("retry-after").is_some());
    is_well(&node, &mut first, &mut second).await;
    assert!(!given_up(&node).await);
    // More clients than descriptors, and none of them sends anything.
    let silent = silent(&node, 2 * DESCRIPTORS).await;
    is_well(&node, &mut first, &mut second).await;
    node.upgrade("/chat", &[]).await.is(503, "limits.connections");
    assert!(given_up(&node).await);
    drop((silent, others));
    assert_eventually!(node.upgrade("/chat", &[]).await.status == 101, "the node takes clients again");
    is_well(&node, &mut first, &mut second).await;
}

#[tokio::test]
async fn silent_connections_keep_nobody_out() {
    let node = node().await;
    let _silent = silent(&node, 2 * DESCRIPTORS).await;
    let (mut first, mut second) = (node.connect("/chat").await, node.connect("/chat").await);
    assert!(given_up(&node).await);
    is_well(&node, &mut first, &mut second).await;
}

#[tokio::test]
async fn unfinished_requests_wait_one_handshake_only() {
    let node = node().await;
    let (mut first, mut second) = (node.connect("/chat").await, node.connect("/chat").await);
    let request =
        format!("POST /api/publish HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Length: 100\r\n\r\n{{");
    // A connection with a request is not given up: for a moment nothing is accepted.
    let mut busy = silent(&node, 2 * DESCRIPTORS).await;
    for client in &mut busy {
        client.send(request.as_bytes()).await;
    }
    is_well(&node, &mut first, &mut second).await;
}

#[tokio::test]
async fn kept_connections_keep_nobody_out() {
    let node = node().await;
    let mut kept = Vec::new();
    for _ in 0..ROOM {
        // Asks at once: a busy machine may take longer for all of them than one may be silent.
        let mut client = node.raw().await;
        client.request("GET", "/healthz", &[], b"").await.is(200, "ok");
        kept.push(client);
    }
    let _silent = silent(&node, 2 * DESCRIPTORS).await;
    let (mut first, mut second) = (node.connect("/chat").await, node.connect("/chat").await);
    assert!(given_up(&node).await);
    is_well(&node, &mut first, &mut second).await;
}
