//! Streams over plain HTTP, as clients of the Centrifugo protocol ask for them.

use fanfare_testkit::{
    Setup, TestNode, assert_eventually,
    backlog::{LIMITS, MESSAGES, message},
    stream::{StreamClient, emulate},
};
use serde_json::json;

const STREAM: &str = "/connection/http_stream";
const CONNECT: &str = "%7B%22id%22%3A1%2C%22connect%22%3A%7B%7D%7D";

async fn node() -> TestNode {
    Setup::memory()
        .toml("[auth]\nhmac_secrets = [\"a-secret-of-the-tests-that-is-long-enough\"]\n")
        .toml("[relay]\nping_interval = \"25s\"\n")
        .start()
        .await
}

#[tokio::test]
async fn an_event_stream_begins_with_a_blank_line() {
    let node = node().await;
    let mut client = node.raw().await;
    let own = node.url();
    let request = format!(
        "GET /connection/sse?cf_connect={CONNECT} HTTP/1.1\r\nHost: {}\r\nOrigin: {own}\r\n\r\n",
        node.address()
    );
    client.send(request.as_bytes()).await;
    let head = client.head().await;
    assert_eq!(head.status, 200);
    for (name, value) in [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "private, no-cache, no-store, must-revalidate, max-age=0"),
        ("connection", "keep-alive"),
        ("expire", "0"),
        ("pragma", "no-cache"),
        ("x-accel-buffering", "no"),
        ("access-control-allow-origin", own.as_str()),
        ("access-control-allow-credentials", "true"),
        ("vary", "Origin"),
    ] {
        assert_eq!(head.header(name), Some(value), "{name}");
    }
    let mut body = String::new();
    while !body.ends_with("}\n\n") {
        body += &String::from_utf8(client.chunk().await).unwrap();
    }
    let reply = body.strip_prefix("\r\ndata: ").and_then(|rest| rest.strip_suffix("\n\n")).unwrap();
    let reply: serde_json::Value = serde_json::from_str(reply).unwrap();
    assert_eq!(
        (&reply["id"], &reply["connect"]["ping"], &reply["connect"]["pong"]),
        (&json!(1), &json!(25), &json!(true))
    );
    let session = reply["connect"]["session"].as_str().unwrap();
    assert_eq!(session.len(), 32);
    let client_id = reply["connect"]["client"].as_str().unwrap();
    assert!(client_id.starts_with(reply["connect"]["node"].as_str().unwrap()));
}

#[tokio::test]
async fn a_stream_of_lines_carries_replies_and_pushes() {
    let node = node().await;
    let (mut client, connected) = StreamClient::connected(&node).await;
    assert_eq!(client.head.header("content-type"), Some("text/plain; charset=utf-8"));
    let answer = emulate(&node, &connected, "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}\n{\"id\":3,\"publish\":{\"channel\":\"a\",\"data\":{\"x\":1}}}").await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.push(client.line().await.unwrap());
    }
    assert!(lines.contains(&json!({"id": 2, "subscribe": {}})), "{lines:?}");
    assert!(lines.contains(&json!({"id": 3, "publish": {}})), "{lines:?}");
    let publication = lines.iter().find(|line| line.get("push").is_some()).unwrap();
    assert_eq!(publication["push"]["pub"]["data"], json!({"x": 1}));
}

#[tokio::test]
async fn protobuf_is_framed_by_lengths() {
    let node = node().await;
    let mut client = node.raw().await;
    let request = format!(
        "POST {STREAM} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\n"
    );
    client.send(&[request.as_bytes(), b"\x04\x08\x01\x22\x00"].concat()).await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("application/octet-stream")));
    let reply = client.chunk().await;
    assert_eq!(usize::from(reply[0]), reply.len() - 1);
    assert_eq!(reply[1..4], [0x08, 0x01, 0x2a]);
}

#[tokio::test]
async fn a_bad_command_is_told_by_the_stream() {
    let node = node().await;
    for (connect, code) in [
        ("xx", 3501),
        ("", 3501),
        (r#"{"id":1,"subscribe":{"channel":"a"}}"#, 3501),
        (r#"{"id":1,"connect":{"token":"x"}}"#, 3500),
    ] {
        let mut client = StreamClient::open(&node, connect).await;
        assert_eq!(client.head.status, 200);
        let push = client.line().await.unwrap();
        assert_eq!(push["push"]["disconnect"]["code"], code, "{connect}: {push}");
        assert_eq!(client.line().await, None);
    }
    let answer = node.get("/connection/sse?cf_connect=xx").await;
    answer.is(200, r#"data: {"push":{"disconnect":{"code":3501,"#);
    assert!(answer.text().starts_with("\r\ndata: ") && answer.text().ends_with("}}}\n\n"));
}

#[tokio::test]
async fn an_improper_request_gets_its_status() {
    let node = node().await;
    node.get("/connection/sse").await.is(400, "cf_connect");
    let answer = node.get(STREAM).await;
    answer.is(405, "POST, OPTIONS only");
    assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
    node.get("/emulation").await.is(405, "POST, OPTIONS only");
    node.request("DELETE", "/connection/sse", &[], "").await.is(405, "GET, POST, OPTIONS only");
    let large = "x".repeat(70 << 10);
    node.request("POST", STREAM, &[], &large).await.is(413, "limits.message_bytes");
    let emulation = |body: String| node.request("POST", "/emulation", &[], body);
    emulation("x".into()).await.is(400, "`session`");
    emulation(json!({"session": "x", "node": "none", "data": ""}).to_string()).await.is(404, "connect again");
    let (_client, connected) = StreamClient::connected(&node).await;
    let of_node = &connected["node"];
    emulation(json!({"session": "x", "node": of_node, "data": "{}"}).to_string()).await.is(204, "");
    emulation(json!({"session": "x", "node": of_node, "data": large}).to_string())
        .await
        .is(413, "limits.message_bytes");
    let evil = [("Origin", "https://evil.example")];
    let refused = node.request("POST", STREAM, &evil, "{}").await;
    refused.is(403, "may not use this server");
    assert_eq!(refused.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_preflight_is_answered() {
    let node = node().await;
    let own = node.url();
    let asked = [("Origin", own.as_str()), ("Access-Control-Request-Headers", "content-type, x-y")];
    for path in [STREAM, "/emulation"] {
        let answer = node.request("OPTIONS", path, &asked, "").await;
        answer.is(204, "");
        for (name, value) in [
            ("access-control-allow-origin", own.as_str()),
            ("access-control-allow-methods", "POST, OPTIONS"),
            ("access-control-allow-headers", "content-type, x-y"),
            ("access-control-max-age", "300"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn a_client_that_goes_ends_its_session() {
    let node = node().await;
    let (client, _) = StreamClient::connected(&node).await;
    assert!(node.metric("fanfare_connections").await >= 1.0);
    drop(client);
    assert_eventually!(node.metric("fanfare_connections").await == 0.0, "the session has ended");
}

#[tokio::test]
async fn a_pong_without_a_ping_ends_the_stream() {
    let node = node().await;
    let (mut client, connected) = StreamClient::connected(&node).await;
    emulate(&node, &connected, "{}").await.is(204, "");
    assert_eq!(client.line().await.unwrap()["push"]["disconnect"]["code"], 3501);
    assert_eq!(client.line().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_stream_is_ended() {
    let node = Setup::memory().toml(LIMITS).start().await;
    let (mut deaf, connected) = StreamClient::connected(&node).await;
    emulate(&node, &connected, r#"{"id":2,"subscribe":{"channel":"chat"}}"#).await.is(204, "");
    assert!(deaf.line().await.unwrap().get("subscribe").is_some());
    for number in 0..MESSAGES {
        node.publish("chat", message(number)).await;
    }
    assert_eventually!(
        node.metric("fanfare_slow_clients_total{policy=\"disconnect\"}").await == 1.0,
        "the client that never reads is ended"
    );
    let mut last = None;
    while let Some(line) = deaf.line().await {
        last = Some(line);
    }
    assert_eq!(last.unwrap()["push"]["disconnect"]["code"], 3008);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_streams_with_a_push() {
    let node = node().await;
    let (mut client, _) = StreamClient::connected(&node).await;
    let stopping = tokio::spawn(node.stop());
    assert_eq!(client.line().await.unwrap()["push"]["disconnect"]["code"], 3001);
    assert_eq!(client.line().await, None);
    stopping.await.unwrap();
}
