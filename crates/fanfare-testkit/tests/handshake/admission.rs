//! Admission limits: each refuses with its own status, sentence and counter, and disturbs no other client.

use std::time::Duration;

use fanfare_testkit::{
    RawClient, Setup, TestNode, assert_eventually,
    metrics::{api_error, hit, http_error, refused},
    within,
};

/// A node with these limits.
async fn node(toml: &str) -> TestNode {
    Setup::memory().toml(toml).start().await
}

#[tokio::test]
async fn a_full_node_refuses_upgrades_only() {
    let node = node("limits.connections = 2").await;
    let mut first = node.connect("/chat").await;
    let mut second = node.connect("/chat").await;
    let full = node.upgrade("/chat", &[]).await;
    full.is(503, "as many connections as it may have, 2 (limits.connections)");
    assert_eq!(full.header("retry-after"), Some("5"));
    assert_eq!(full.header("connection"), Some("close"));
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(node.get(path).await.status, 200, "{path}");
    }
    node.publish("chat", "still here").await;
    first.expect("still here").await;
    second.text("me too").await;
    first.expect("me too").await;
    assert_eq!(node.metric(&hit("connections")).await, 1.0);
    assert_eq!(node.metric(&refused("connections")).await, 1.0);
    drop(second);
    assert_eventually!(node.upgrade("/chat", &[]).await.status == 101, "the node takes clients again");
}

#[tokio::test]
async fn connections_per_address_are_bounded() {
    let toml = "limits.connections_per_address = 1\n[[namespace]]\nname = \"closed\"\nsubscribe = \"server\"";
    let node = node(toml).await;
    for _ in 0..3 {
        node.upgrade("/closed:room", &[]).await.is(403, "not permit");
        node.upgrade("/chat", &[("Sec-WebSocket-Key", "")]).await.is(400, "Key");
    }
    let first = node.connect("/chat").await;
    node.upgrade("/chat", &[]).await.is(429, "as one address may have, 1 (limits.connections_per_address)");
    let mut other = RawClient::connect_from("127.0.0.2".parse().unwrap(), node.address()).await;
    assert_eq!(other.upgrade("/chat", &[]).await.status, 101);
    assert_eq!(node.metric(&hit("connections_per_address")).await, 1.0);
    drop(first);
    assert_eventually!(node.upgrade("/chat", &[]).await.status == 101, "the address may connect again");
}

#[tokio::test]
async fn connections_per_second_are_bounded() {
    let node = node("limits.connections_per_second = 1").await;
    let refused = within("a connection above the rate", async {
        loop {
            let answer = node.upgrade("/chat", &[]).await;
            if answer.status != 101 {
                break answer;
            }
        }
    })
    .await;
    refused.is(503, "than the 1 that this node takes each second (limits.connections_per_second)");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(node.get("/healthz").await.status, 200);
    assert!(node.metric(&hit("connections_per_second")).await >= 1.0);
    assert_eventually!(node.upgrade("/chat", &[]).await.status == 101, "the next second allows another");
}

#[tokio::test]
async fn a_dripping_request_gets_408() {
    let node = node("limits.handshake = \"200ms\"").await;
    let mut dribbling = node.raw().await;
    for byte in b"GET /chat HT".chunks(1) {
        dribbling.send(byte).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    dribbling.answer().await.is(408, "limits.handshake");
    assert!(dribbling.end().await.is_empty());
    assert_eq!((node.metric(&http_error("timeout")).await, node.metric(&hit("handshake")).await), (1.0, 1.0));

    let mut body = node.raw().await;
    let head = format!(
        "POST /api/publish HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Length: 100\r\n\r\n{{",
        fanfare_testkit::KEY
    );
    body.send(head.as_bytes()).await;
    body.answer().await.is(408, "the body did not come within 200 ms (limits.handshake)");
    body.end().await;
    assert_eq!(node.metric(&api_error("too_slow")).await, 1.0);
    assert_eq!(node.metric(&hit("handshake")).await, 2.0);
}

#[tokio::test]
async fn a_silent_connection_ends_without_an_answer() {
    let node = node("limits.handshake = \"200ms\"").await;
    assert!(node.raw().await.end().await.is_empty());
    assert_eq!(node.metric(&http_error("timeout")).await, 1.0);
}

#[tokio::test]
async fn a_kept_connection_ends_as_announced() {
    let node = node("limits.handshake = \"200ms\"\nlimits.keep_alive = \"1s\"").await;
    let mut client = node.raw().await;
    for _ in 0..3 {
        let answer = client.request("GET", "/healthz", &[], &[]).await;
        assert_eq!((answer.status, answer.header("keep-alive")), (200, Some("timeout=1")));
        // Within the announced time, and longer than the time for a header.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(client.good_end().await.unwrap().is_empty());
    assert_eq!(node.metric(&http_error("timeout")).await, 0.0);
}

#[tokio::test]
async fn only_kept_connections_announce_a_timeout() {
    let node = node("").await;
    let kept = node.get("/healthz").await;
    assert_eq!((kept.header("connection"), kept.header("keep-alive")), (None, Some("timeout=75")));
    let last = node.request("GET", "/healthz", &[("Connection", "close")], "").await;
    assert_eq!((last.header("connection"), last.header("keep-alive")), (Some("close"), None));
    let refused = node.request("GET", "/healthz", &[("Host", "a"), ("Host", "b")], "").await;
    assert_eq!((refused.header("connection"), refused.header("keep-alive")), (Some("close"), None));
    assert_eq!(node.upgrade("/chat", &[]).await.header("keep-alive"), None);
}

#[tokio::test]
async fn headers_above_the_limits_get_431() {
    let node = node("limits.header_count = 16\nlimits.header_bytes = \"8KiB\"").await;
    let many = vec![("X-Another", "header"); 16];
    node.upgrade("/chat", &many).await.is(431, "at most 16 are taken (limits.header_count)");
    assert_eq!(node.upgrade("/chat", &vec![("X-Another", "header"); 200]).await.status, 431);
    let large = "x".repeat(20 << 10);
    assert_eq!(node.upgrade("/chat", &[("X-Large", &large)]).await.status, 431);
    let fitting = "x".repeat(7 << 10);
    assert_eq!(node.upgrade("/chat", &[("X-Large", &fitting)]).await.status, 101);
    assert_eq!(
        (node.metric(&hit("header_count")).await, node.metric(&hit("header_bytes")).await),
        (1.0, 2.0)
    );
}
