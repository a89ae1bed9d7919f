//! A node whose descriptors run short goes on for those it has, and says so to the others. With the real binary.

#![expect(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::{net::TcpListener, path::PathBuf, process::Stdio};

use fanfare_testkit::{Client, Endpoint, KEY, RawClient, assert_eventually};
use tokio::process::{Child, Command};

const DESCRIPTORS: usize = 400;

/// What is left of them for connections: half, since there are so few.
const ROOM: usize = 200;

/// A node that may have so many descriptors and no more.
async fn node() -> (Child, Endpoint) {
    // Beside the folder of this test's own binary, where cargo puts it.
    let test = std::env::current_exe().unwrap();
    let beside = || test.parent().unwrap().parent().unwrap().join("fanfare");
    let binary = std::env::var_os("BIN").map_or_else(beside, PathBuf::from);
    assert!(binary.is_file(), "build it with `cargo build -p fanfare`");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -n {DESCRIPTORS}; exec \"$@\"")).arg("sh").arg(binary);
    command.env("FANFARE_API__KEYS", KEY).env("FANFARE_LIMITS__HANDSHAKE", "2s");
    command.args(["serve", "--node", "test", "--listen", &address.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let process = command.spawn().unwrap();
    assert_eventually!(tokio::net::TcpStream::connect(address).await.is_ok(), "the node listens");
    let node = Endpoint::new(address);
    node.is_ready().await;
    (process, node)
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
    node.metric("fanfare_limits_hit_total{limit=\"descriptors\"}").await > 0.0
}

#[tokio::test]
async fn a_full_node_refuses_upgrades_and_serves_everybody_else() {
    let (_process, node) = node().await;
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
    // More than there are descriptors, and none of them says anything.
    let silent = silent(&node, 2 * DESCRIPTORS).await;
    is_well(&node, &mut first, &mut second).await;
    node.upgrade("/chat", &[]).await.is(503, "limits.connections");
    assert!(given_up(&node).await);
    drop((silent, others));
    assert_eventually!(node.upgrade("/chat", &[]).await.status == 101, "there is room again");
    is_well(&node, &mut first, &mut second).await;
}

#[tokio::test]
async fn who_connects_and_says_nothing_keeps_nobody_out() {
    let (_process, node) = node().await;
    let _silent = silent(&node, 2 * DESCRIPTORS).await;
    let (mut first, mut second) = (node.connect("/chat").await, node.connect("/chat").await);
    assert!(given_up(&node).await);
    is_well(&node, &mut first, &mut second).await;
}

#[tokio::test]
async fn who_asks_and_does_not_go_on_is_waited_for_no_longer_than_a_handshake() {
    let (_process, node) = node().await;
    let (mut first, mut second) = (node.connect("/chat").await, node.connect("/chat").await);
    let request =
        format!("POST /api/publish HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Length: 100\r\n\r\n{{");
    // Nobody is given up whose request has come: for a moment nothing is accepted.
    let mut busy = silent(&node, 2 * DESCRIPTORS).await;
    for client in &mut busy {
        client.send(request.as_bytes()).await;
    }
    is_well(&node, &mut first, &mut second).await;
}

#[tokio::test]
async fn kept_connections_keep_nobody_out() {
    let (_process, node) = node().await;
    let mut kept = silent(&node, ROOM).await;
    for client in &mut kept {
        client.request("GET", "/healthz", &[], b"").await.is(200, "ok");
    }
    let _silent = silent(&node, 2 * DESCRIPTORS).await;
    let (mut first, mut second) = (node.connect("/chat").await, node.connect("/chat").await);
    assert!(given_up(&node).await);
    is_well(&node, &mut first, &mut second).await;
}
