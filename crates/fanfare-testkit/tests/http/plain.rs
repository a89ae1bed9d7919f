//! Plain HTTP without a library: `/sse`, `/stream` and `/publish`.

use fanfare_testkit::{
    Setup, TestNode, assert_eventually,
    events::{Event, EventClient},
    token::{bearer, in_seconds},
};
use serde_json::json;

const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";

const NAMESPACES: &str = r#"
[[namespace]]
name = "kept"
history_size = 10

[[namespace]]
name = "secret"
history_size = 10
subscribe = "token"
publish = "token"

[[namespace]]
name = "silent"
history_size = 10
history = "server"
"#;

async fn node() -> TestNode {
    let auth = format!("[auth]\nleeway = \"0s\"\nhmac_secrets = [\"{SECRET}\"]\n");
    Setup::memory().toml(&auth).toml(NAMESPACES).start().await
}

fn subscribed(channel: &str, recovered: bool) -> serde_json::Value {
    json!({"type": "subscribed", "channel": channel, "recovered": recovered})
}

fn lost(channel: &str) -> serde_json::Value {
    json!({"type": "subscribed", "channel": channel, "recovered": false, "gap": true})
}

#[tokio::test]
async fn a_stream_begins_with_a_time_and_notices() {
    let node = node().await;
    let own = node.url();
    let mut client = EventClient::open_with(&node, "/sse/kept:a", &[("Origin", &own)]).await;
    for (name, value) in [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "private, no-cache, no-store, must-revalidate, max-age=0, no-transform"),
        ("x-accel-buffering", "no"),
        ("access-control-allow-origin", own.as_str()),
        ("vary", "Origin"),
    ] {
        assert_eq!(client.head.header(name), Some(value), "{name}");
    }
    let first = client.block().await.unwrap();
    let retry: u32 = first.strip_prefix("retry: ").unwrap().strip_suffix("\n:").unwrap().parse().unwrap();
    assert!((1_000..=3_000).contains(&retry));
    assert_eq!(client.notice().await, subscribed("kept:a", false));
    assert!(!client.last_id.is_empty());
}

#[tokio::test]
async fn messages_are_events() {
    let node = node().await;
    let mut client = EventClient::open(&node, "/sse/r%C3%A4ume").await;
    client.notice().await;
    node.publish("räume", "hi").await;
    node.publish("räume", "two\nlines\r\nand: more").await;
    node.publish("räume", json!({"a": 1})).await;
    for body in [
        json!({"channel": "räume", "b64data": "/wA="}),
        json!({"channel": "räume", "data": "a", "event": "joke"}),
    ] {
        assert_eq!(node.post(&body).await.status, 200);
    }
    client.expect("hi").await;
    client.expect("two\nlines\nand: more").await;
    client.expect("{\"a\":1}").await;
    client.expect("{\"b64\":\"/wA=\"}").await;
    assert_eq!(client.event().await, Some(Event { name: "joke".into(), data: "a".into() }));
    assert_eq!(client.last_id, "", "a channel without history has no cursor");
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was() {
    let node = node().await;
    let mut client = EventClient::open(&node, "/sse/kept:a").await;
    client.notice().await;
    node.publish("kept:a", "1").await;
    client.expect("1").await;
    let id = client.last_id.clone();
    drop(client);
    for text in ["2", "3"] {
        node.publish("kept:a", text).await;
    }
    let by_address = format!("/sse/kept:a?last=1&last_event_id={id}");
    for mut back in
        [EventClient::go_on(&node, "/sse/kept:a", &id).await, EventClient::open(&node, &by_address).await]
    {
        assert_eq!(back.notice().await, subscribed("kept:a", true));
        assert_eq!(back.last_id, id, "the past is not covered yet");
        back.expect("2").await;
        back.expect("3").await;
        assert_ne!(back.last_id, id);
    }
    let mut newest = EventClient::open(&node, "/sse/kept:a?last=2").await;
    newest.notice().await;
    newest.expect("2").await;
    newest.expect("3").await;
    node.publish("kept:a", "4").await;
    newest.expect("4").await;
}

#[tokio::test]
async fn a_stream_of_several_channels_has_one_cursor() {
    let node = node().await;
    let path = "/sse?channel=kept:a&channel=kept:b&channel=loose";
    let mut client = EventClient::open(&node, path).await;
    for channel in ["kept:a", "kept:b", "loose"] {
        assert_eq!(client.notice().await, subscribed(channel, false));
    }
    node.publish("kept:a", "1").await;
    client.expect(r#"{"channel":"kept:a","data":"1"}"#).await;
    node.publish("loose", "x").await;
    client.expect(r#"{"channel":"loose","data":"x"}"#).await;
    let id = client.last_id.clone();
    drop(client);
    for (channel, text) in [("kept:b", "2"), ("kept:a", "3"), ("loose", "y")] {
        node.publish(channel, text).await;
    }
    let mut back = EventClient::go_on(&node, path, &id).await;
    assert_eq!(back.notice().await, subscribed("kept:a", true));
    assert_eq!(back.notice().await, subscribed("kept:b", true));
    assert_eq!(back.notice().await, lost("loose"));
    back.expect(r#"{"channel":"kept:a","data":"3"}"#).await;
    let between = back.last_id.clone();
    back.expect(r#"{"channel":"kept:b","data":"2"}"#).await;
    // A client that loses its stream between two channels misses nothing.
    let mut again = EventClient::go_on(&node, path, &between).await;
    for _ in 0..3 {
        again.notice().await;
    }
    again.expect(r#"{"channel":"kept:b","data":"2"}"#).await;
}

#[tokio::test]
async fn a_lost_place_is_told() {
    let node = node().await;
    let mut client = EventClient::open(&node, "/sse/kept:a").await;
    client.notice().await;
    let id = client.last_id.clone();
    for number in 0..50 {
        node.publish("kept:a", number.to_string()).await;
    }
    let mut other = EventClient::open(&node, "/sse/kept:b").await;
    other.notice().await;
    for (path, id) in [
        ("/sse/kept:a", &*id),
        ("/sse/kept:a", "damaged"),
        ("/sse/kept:a", &*other.last_id),
        ("/sse/silent:a", "damaged"),
    ] {
        let mut back = EventClient::go_on(&node, path, id).await;
        let channel = path.trim_start_matches("/sse/");
        assert_eq!(back.notice().await, lost(channel), "{path} {id}");
        node.publish(channel, "next").await;
        back.expect("next").await;
    }
    let mut silent = EventClient::open(&node, "/sse/silent:a").await;
    silent.notice().await;
    let mut back = EventClient::go_on(&node, "/sse/silent:a", &silent.last_id).await;
    assert_eq!(back.notice().await, lost("silent:a"), "its history is not for clients");
}

#[tokio::test]
async fn a_final_refusal_has_its_status() {
    let node = node().await;
    node.get("/sse").await.is(400, "the channel is missing");
    node.get("/sse/a%20b").await.is(400, "visible characters");
    node.get("/sse/secret:a").await.is(401, "needs a token");
    node.get("/sse/secret:a?token=x").await.is(401, "token");
    let other = bearer(&json!({"sub": "ada", "exp": in_seconds(60), "channels": ["x"]}), SECRET);
    node.request("GET", "/sse/secret:a", &[("Authorization", &other)], "").await.is(403, "does not grant");
    node.get("/sse/silent:a?last=1").await.is(403, "read the history");
    node.get("/sse/loose?last=1").await.is(400, "history_size");
    node.get("/sse/kept:a?last=0").await.is(400, "last must be");
    node.request("POST", "/sse/kept:a", &[], "").await.is(405, "GET, OPTIONS only");
    let evil = [("Origin", "https://evil.example")];
    node.request("GET", "/sse/kept:a", &evil, "").await.is(403, "may not use this server");
}

#[tokio::test]
async fn a_full_node_says_when_to_come_back() {
    let node = Setup::memory().toml("[limits]\nconnections = 1").start().await;
    let mut first = EventClient::open(&node, "/sse/a").await;
    first.notice().await;
    let second = EventClient::open(&node, "/sse/a").await;
    assert_eq!((second.head.status, second.head.header("connection")), (200, Some("close")));
    let answer = node.get("/sse/a").await;
    let retry: u32 = answer.text().strip_prefix("retry: ").unwrap().trim_end().parse().unwrap();
    assert!((5_000..=20_000).contains(&retry));
    drop(second);
    node.request("POST", "/stream", &[], r#"{"channels":["a"]}"#).await.is(503, "limits.connections");
    assert_eq!(node.metric("fanfare_handshakes_refused_total{reason=\"connections\"}").await, 3.0);
}

#[tokio::test]
async fn a_token_bounds_its_stream() {
    let node = node().await;
    let token = bearer(&json!({"sub": "ada", "exp": in_seconds(3), "channels": ["secret:a"]}), SECRET);
    let mut client = EventClient::open_with(&node, "/sse/secret:a", &[("Authorization", &token)]).await;
    assert_eq!(client.notice().await, subscribed("secret:a", false));
    let expiring = client.notice().await;
    assert_eq!(expiring["type"], "expiring");
    assert!(expiring["expires_in"].as_u64().unwrap() <= 3);
    let end = client.notice().await;
    assert_eq!((&end["type"], &end["code"]), (&json!("disconnect"), &json!(4001)));
    assert_eq!(client.block().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_streams_and_sends_newcomers_on() {
    let node = node().await;
    let mut client = EventClient::open(&node, "/sse/kept:a").await;
    client.notice().await;
    let endpoint = *node;
    let mut waiting = endpoint.raw().await;
    let stopping = tokio::spawn(node.stop());
    let end = client.notice().await;
    assert_eq!((&end["type"], &end["code"]), (&json!("disconnect"), &json!(1012)));
    assert_eq!(client.block().await, None);
    let answer = waiting.request("GET", "/sse/kept:a", &[], b"").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("retry: "), "{}", answer.text());
    stopping.await.unwrap();
}

#[tokio::test]
async fn lines_carry_items_and_their_cursor() {
    let node = node().await;
    let mut raw = node.raw().await;
    let body = r#"{"channels":["kept:a","kept:b"]}"#;
    let head = format!("POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    raw.send(head.as_bytes()).await;
    assert_eq!(raw.head().await.header("content-type"), Some("application/x-ndjson"));
    let mut text = String::new();
    while text.lines().count() < 2 {
        text += &String::from_utf8(raw.chunk().await).unwrap();
    }
    node.publish("kept:b", json!({"a": 1})).await;
    while text.lines().count() < 3 {
        text += &String::from_utf8(raw.chunk().await).unwrap();
    }
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["cursor"], lines[1]["cursor"]);
    assert_eq!((&lines[2]["channel"], &lines[2]["data"]), (&json!("kept:b"), &json!({"a": 1})));
    assert_ne!(lines[2]["cursor"], lines[1]["cursor"]);
    for (body, words) in [
        ("x", "is not what this path takes"),
        (r#"{"channels":[]}"#, "the channel is missing"),
        (r#"{"channels":["a"],"cursor":"x"}"#, "is not one that this server gave"),
    ] {
        node.request("POST", "/stream", &[], body).await.is(400, words);
    }
    node.get("/stream?channel=a&cursor=x").await.is(400, "is not one that this server gave");
}

#[tokio::test]
async fn a_client_publishes_by_a_request() {
    let node = node().await;
    let mut reader = node.connect("/kept:a").await;
    let endpoint = *node;
    let publish = async |path: &str, kind: &str, body: &[u8]| {
        endpoint.request("POST", path, &[("Content-Type", kind)], body).await
    };
    let first = publish("/publish/kept:a", "text/plain", b"hi").await.json();
    assert_eq!((&first["offset"], first["epoch"].as_str().map(str::len)), (&json!(1), Some(16)));
    publish("/publish/kept:a", "application/json", b"{\"a\" : 1}").await.is(200, "\"offset\":2");
    publish("/publish/loose", "text/plain", b"").await.is(200, "{}");
    reader.expect("hi").await;
    reader.expect("{\"a\" : 1}").await;
    for (path, body, status, reason) in [
        ("/publish/secret:a", &b"x"[..], 401, "unauthorized"),
        ("/publish/a%20b", b"x", 400, "bad_request"),
        ("/publish/kept:a", &[b'x'; 70 << 10], 413, "too_large"),
    ] {
        let answer = node.request("POST", path, &[("Content-Type", "text/plain")], body).await;
        assert_eq!((answer.status, &answer.json()["error"]["reason"]), (status, &json!(reason)), "{path}");
    }
    publish("/publish/a", "application/json", b"{").await.is(400, "is not JSON");
    let token = bearer(&json!({"sub": "ada", "exp": in_seconds(60), "channels": ["secret:a"]}), SECRET);
    let with_token = [("Authorization", &*token)];
    node.request("POST", "/publish/secret:a", &with_token, "x").await.is(200, "\"offset\":1");
    node.request("POST", "/publish/secret:b", &with_token, "x").await.is(403, "permission_denied");
    let key = [("X-Idempotency-Key", "k")];
    node.request("POST", "/publish/kept:a", &key, "once").await.is(200, "\"offset\":3");
    node.request("POST", "/publish/kept:a", &key, "once").await.is(200, "\"duplicate\":true");
}

#[tokio::test]
async fn a_client_that_goes_leaves_nothing() {
    let node = node().await;
    let mut client = EventClient::open(&node, "/sse/a").await;
    client.notice().await;
    assert_eq!(node.metric("fanfare_connections{dialect=\"sse\"}").await, 1.0);
    drop(client);
    assert_eventually!(node.metric("fanfare_connections").await == 0.0, "the session has ended");
    assert_eventually!(node.metric("fanfare_channels").await == 0.0, "the channel has no member");
}
