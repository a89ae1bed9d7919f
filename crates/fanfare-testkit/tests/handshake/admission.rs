//! Limits at the door: each refuses with its own status, sentence and counter, and costs nobody else anything.

#![expect(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::time::Duration;

use fanfare_testkit::{Endpoint, RawClient, Setup, TestNode, assert_eventually, within};

/// A node with these limits.
async fn node(toml: &str) -> TestNode {
    Setup::memory().toml(toml).start().await
}

/// What a counter says; 0 where it was never raised.
async fn counted(node: &Endpoint, counter: &str) -> u64 {
    let metrics = node.get("/metrics").await.text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(counter));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

async fn limits_hit(node: &Endpoint, limit: &str) -> u64 {
    counted(node, &format!("fanfare_limits_hit_total{{limit=\"{limit}\"}}")).await
}

async fn http_errors(node: &Endpoint, kind: &str) -> u64 {
    counted(node, &format!("fanfare_http_errors_total{{kind=\"{kind}\"}}")).await
}

#[tokio::test]
async fn past_all_connections_upgrades_are_refused_and_nothing_else_is() {
    let node = node("limits.connections = 2").await;
    let mut first = node.connect("/chat").await;
    let mut second = node.connect("/chat").await;
    let refused = node.upgrade("/chat", &[]).await;
    refused.is(503, "as many connections as it may have, 2 (limits.connections)");
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert_eq!(refused.header("connection"), Some("close"));
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(node.get(path).await.status, 200, "{path}");
    }
    node.publish("chat", "still here").await;
    first.expect("still here").await;
    second.text("me too").await;
    first.expect("me too").await;
    assert_eq!(limits_hit(&node, "connections").await, 1);
    assert_eq!(counted(&node, "fanfare_handshakes_refused_total{reason=\"connections\"}").await, 1);
    drop(second);
    assert_eventually!(node.upgrade("/chat", &[]).await.status == 101, "there is room again");
}

#[tokio::test]
async fn an_address_has_so_many_connections_whatever_became_of_earlier_ones() {
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
    assert_eq!(limits_hit(&node, "connections_per_address").await, 1);
    drop(first);
    assert_eventually!(node.upgrade("/chat", &[]).await.status == 101, "the address may come again");
}

#[tokio::test]
async fn past_a_seconds_connections_they_are_put_off() {
    let node = node("limits.connections_per_second = 1").await;
    let refused = within("one that comes too soon", async {
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
    assert!(limits_hit(&node, "connections_per_second").await >= 1);
    assert_eventually!(node.upgrade("/chat", &[]).await.status == 101, "another second brings another");
}

#[tokio::test]
async fn who_dribbles_is_cut_and_told_why() {
    let node = node("limits.handshake = \"200ms\"").await;
    let mut dribbling = node.raw().await;
    for byte in b"GET /chat HT".chunks(1) {
        dribbling.send(byte).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    dribbling.answer().await.is(408, "limits.handshake");
    assert!(dribbling.end().await.is_empty());
    assert_eq!((http_errors(&node, "timeout").await, limits_hit(&node, "handshake").await), (1, 1));

    let mut body = node.raw().await;
    let head = format!(
        "POST /api/publish HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Length: 100\r\n\r\n{{",
        fanfare_testkit::KEY
    );
    body.send(head.as_bytes()).await;
    body.answer().await.is(408, "the body did not come within 200 ms (limits.handshake)");
    body.end().await;
    assert_eq!(counted(&node, "fanfare_api_errors_total{code=\"too_slow\"}").await, 1);
    assert_eq!(limits_hit(&node, "handshake").await, 2);
}

#[tokio::test]
async fn who_says_nothing_at_all_is_cut_without_a_word() {
    let node = node("limits.handshake = \"200ms\"").await;
    assert!(node.raw().await.end().await.is_empty());
    assert_eq!(http_errors(&node, "timeout").await, 1);
}

#[tokio::test]
async fn a_kept_connection_is_closed_as_announced() {
    let node = node("limits.handshake = \"200ms\"\nlimits.keep_alive = \"1s\"").await;
    let mut client = node.raw().await;
    for _ in 0..3 {
        let answer = client.request("GET", "/healthz", &[], &[]).await;
        assert_eq!((answer.status, answer.header("keep-alive")), (200, Some("timeout=1")));
        // Within the time that was announced, and past the one for a header.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(client.good_end().await.unwrap().is_empty());
    assert_eq!(http_errors(&node, "timeout").await, 0);
}

#[tokio::test]
async fn only_a_connection_that_goes_on_is_announced() {
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
async fn headers_too_many_or_too_large_are_431() {
    let node = node("limits.header_count = 16\nlimits.header_bytes = \"8KiB\"").await;
    let many = vec![("X-Another", "header"); 16];
    node.upgrade("/chat", &many).await.is(431, "at most 16 are taken (limits.header_count)");
    assert_eq!(node.upgrade("/chat", &vec![("X-Another", "header"); 200]).await.status, 431);
    let large = "x".repeat(20 << 10);
    assert_eq!(node.upgrade("/chat", &[("X-Large", &large)]).await.status, 431);
    let fitting = "x".repeat(7 << 10);
    assert_eq!(node.upgrade("/chat", &[("X-Large", &fitting)]).await.status, 101);
    assert_eq!((limits_hit(&node, "header_count").await, limits_hit(&node, "header_bytes").await), (1, 2));
}

#[tokio::test]
async fn http_2_is_told_what_is_spoken_here() {
    let node = node("").await;
    let mut client = node.raw().await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    client.answer().await.is(505, "connect with HTTP/1.1");
    client.end().await;
    assert_eq!(http_errors(&node, "http2").await, 1);
}
