//! Answers that wait for a session, and the connections below them, which hyper leaves meanwhile.

use fanfare_testkit::{RawClient, Setup, TestNode, assert_eventually};

const KEPT: &str = "[[namespace]]\nname = \"kept\"\nhistory_size = 10";

async fn node() -> TestNode {
    Setup::memory().toml(KEPT).start().await
}

async fn cursor(raw: &mut RawClient) -> String {
    let answer = raw.request("GET", "/poll?channel=kept:a", &[], &[]).await.json();
    let Some(cursor) = answer.get("cursor").and_then(|cursor| cursor.as_str()) else { panic!("{answer}") };
    cursor.to_owned()
}

async fn until_a_poll_waits(node: &TestNode) {
    assert_eventually!(node.metric("fanfare_connections{dialect=\"poll\"}").await == 1.0, "a poll waits");
}

#[tokio::test]
async fn a_connection_takes_poll_after_poll() {
    let node = node().await;
    let mut raw = node.raw().await;
    let mut at = cursor(&mut raw).await;
    for number in ["1", "2", "3"] {
        let path = format!("/poll?channel=kept:a&timeout=55&cursor={at}");
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
        let head = raw.head().await;
        assert_eq!(head.header("keep-alive"), Some("timeout=75"));
        assert!(head.header("date").is_some() && head.header("connection").is_none());
        node.publish("kept:a", number).await;
        let answer: serde_json::Value = serde_json::from_slice(&raw.chunk().await).unwrap();
        assert_eq!(answer["messages"][0]["data"], number);
        answer["cursor"].as_str().unwrap().clone_into(&mut at);
        assert!(raw.chunk().await.is_empty(), "the last chunk");
        raw.request("GET", "/healthz", &[], &[]).await.is(200, "");
    }
}

#[tokio::test]
async fn requests_behind_a_poll_are_answered() {
    let node = node().await;
    let mut raw = node.raw().await;
    let path = format!("/poll?channel=kept:a&timeout=1&cursor={}", cursor(&mut raw).await);
    let polls = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(2);
    let last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    raw.send([&polls, last].concat().as_bytes()).await;
    for _ in 0..2 {
        raw.answer().await.is(200, "\"messages\":[]");
    }
    assert_eq!(raw.answer().await.header("connection"), Some("close"));
    assert_eq!(raw.good_end().await.unwrap(), b"");
}

#[tokio::test]
async fn the_last_answer_ends_its_connection() {
    let node = node().await;
    let mut raw = node.raw().await;
    let path = format!("/poll?channel=kept:a&timeout=0&cursor={}", cursor(&mut raw).await);
    let answer = raw.request("GET", &path, &[("Connection", "close")], &[]).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!((answer.header("keep-alive"), raw.good_end().await.unwrap()), (None, Vec::new()));
    // The rest of a body that nobody read would be taken for a request.
    let mut raw = node.raw().await;
    raw.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n").as_bytes()).await;
    let answer = raw.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
}

#[tokio::test]
async fn an_old_client_gets_the_bare_body() {
    let node = node().await;
    let mut raw = node.raw().await;
    let path = format!("/poll?channel=kept:a&timeout=55&cursor={}", cursor(&mut raw).await);
    raw.send(format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n").as_bytes()).await;
    until_a_poll_waits(&node).await;
    node.publish("kept:a", "hi").await;
    let text = String::from_utf8(raw.good_end().await.unwrap()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n") && !head.contains("chunked"), "{head}");
    assert!(body.starts_with("{\"messages\":[{") && body.ends_with("}\n"), "{body}");
}

#[tokio::test]
async fn a_client_that_sends_and_goes_is_lost() {
    let node = node().await;
    let mut raw = node.raw().await;
    let path = format!("/poll?channel=kept:a&timeout=55&cursor={}", cursor(&mut raw).await);
    raw.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
    until_a_poll_waits(&node).await;
    raw.finish().await;
    assert_eventually!(
        node.metric("fanfare_http_errors_total{kind=\"incomplete\"}").await == 1.0,
        "the connection has ended"
    );
    assert_eq!(node.metric("fanfare_connections_closed_total{dialect=\"poll\",reason=\"lost\"}").await, 1.0);
}
