//! The methods of the API on a node, and the history for clients.

#![expect(clippy::indexing_slicing, reason = "a helper of a test fails by a panic, as the test does")]

use fanfare_testkit::{
    Answer, KEY, Setup, TestNode,
    token::{bearer, token},
};
use serde_json::{Value, json};

use crate::api::is_error;

const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";

/// A node whose default namespace forgets, and whose others keep: for everybody, for tokens, for no client.
async fn node() -> TestNode {
    let toml = format!(
        r#"
        [auth]
        hmac_secrets = ["{SECRET}"]
        [[namespace]]
        name = "kept"
        history_size = 10
        [[namespace]]
        name = "members"
        history_size = 10
        subscribe = "token"
        [[namespace]]
        name = "secret"
        history_size = 10
        history = "server"
        "#
    );
    Setup::memory().toml(&toml).start().await
}

async fn call(node: &TestNode, method: &str, body: Value) -> Answer {
    node.request("POST", &format!("/api/{method}"), &[("X-API-Key", KEY)], body.to_string()).await
}

async fn result(node: &TestNode, method: &str, body: Value) -> Value {
    let answer = call(node, method, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["result"].clone()
}

fn offsets(told: &Value) -> Vec<u64> {
    told["publications"].as_array().unwrap().iter().map(|one| one["offset"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn what_is_published_can_be_read() {
    let node = node().await;
    let mut reader = node.connect("/kept:a").await;
    let first =
        result(&node, "publish", json!({"channel": "kept:a", "data": "hi", "tags": {"a": "b"}})).await;
    assert_eq!(first["offset"], 1);
    result(&node, "publish", json!({"channel": "kept:a", "data": {"b": 1.5}, "event": "e"})).await;
    let skipped = json!({"channel": "kept:a", "data": "skipped", "skip_history": true});
    assert_eq!(result(&node, "publish", skipped).await, json!({}));
    for text in ["hi", r#"{"b":1.5}"#, "skipped"] {
        reader.expect(text).await;
    }
    let told = result(&node, "history", json!({"channel": "kept:a"})).await;
    let expected = json!([
        {"offset": 1, "data": "hi", "tags": {"a": "b"}},
        {"offset": 2, "data": {"b": 1.5}, "event": "e"},
    ]);
    assert_eq!((&told["publications"], &told["offset"]), (&expected, &json!(2)));
    assert_eq!(told["epoch"], first["epoch"]);
    let since = json!({"channel": "kept:a", "since": {"offset": 1, "epoch": first["epoch"]}});
    assert_eq!(offsets(&result(&node, "history", since).await), [2]);
    let lost = json!({"channel": "kept:a", "since": {"offset": 1, "epoch": "0000000000000000"}});
    is_error(&call(&node, "history", lost).await, 416, "unrecoverable_position", "began anew");
    result(&node, "history_remove", json!({"channel": "kept:a"})).await;
    let told = result(&node, "history", json!({"channel": "kept:a"})).await;
    assert_eq!((offsets(&told), &told["offset"]), (vec![], &json!(2)));
}

#[tokio::test]
async fn an_idempotent_publish_is_delivered_once() {
    let node = node().await;
    let mut reader = node.connect("/plain").await;
    let body = json!({"channel": "plain", "data": "once", "idempotency_key": "k"});
    assert_eq!(result(&node, "publish", body.clone()).await, json!({}));
    assert_eq!(result(&node, "publish", body).await, json!({"duplicate": true}));
    let key = [("X-API-Key", KEY), ("X-Idempotency-Key", "k")];
    let again = json!({"channel": "plain", "data": "twice"}).to_string();
    let answer = node.request("POST", "/api/publish", &key, again).await;
    assert_eq!(answer.json(), json!({"result": {"duplicate": true}}));
    node.publish("plain", "next").await;
    reader.expect("once").await;
    reader.expect("next").await;
}

#[tokio::test]
async fn a_broadcast_reaches_its_channels() {
    let node = node().await;
    let mut readers = [node.connect("/a").await, node.connect("/kept:b").await];
    let told = result(&node, "broadcast", json!({"channels": ["a", "kept:b", "c d"], "data": "all"})).await;
    assert_eq!(
        (&told["responses"][0], &told["responses"][1]["result"]["offset"]),
        (&json!({"result": {}}), &json!(1))
    );
    assert_eq!(told["responses"][2]["error"]["reason"], "bad_request");
    for reader in &mut readers {
        reader.expect("all").await;
    }
    assert!(node.metric("fanfare_api_errors_total{reason=\"bad_request\"}").await >= 1.0);
}

#[tokio::test]
async fn a_batch_carries_out_its_commands() {
    let node = node().await;
    let commands = json!([
        {"publish": {"channel": "kept:a", "data": 1}},
        {"history": {"channel": "plain"}},
        {"history": {"channel": "kept:a"}},
    ]);
    let told = call(&node, "batch", json!({"commands": commands})).await.json();
    let replies = told["replies"].as_array().unwrap();
    assert_eq!(replies[0]["publish"]["offset"], 1);
    assert_eq!(replies[1]["error"]["reason"], "not_available");
    assert_eq!(offsets(&replies[2]["history"]), [1]);
    let wrong = json!({"commands": [{"publish": {"channel": "kept:a", "data": 1}}, {"publish": {}}]});
    is_error(&call(&node, "batch", wrong).await, 400, "bad_request", "missing field `channel`");
    let told = result(&node, "history", json!({"channel": "kept:a"})).await;
    assert_eq!(offsets(&told), [1], "nothing of a wrong batch is done");
}

#[tokio::test]
async fn a_namespace_names_its_missing_key() {
    let node = node().await;
    for (method, key) in [
        ("history", "history_size"),
        ("history_remove", "history_size"),
        ("presence", "track_presence"),
        ("presence_stats", "track_presence"),
    ] {
        let answer = call(&node, method, json!({"channel": "plain"})).await;
        is_error(&answer, 400, "not_available", key);
    }
    is_error(&node.get("/api/history?channel=plain").await, 400, "not_available", "history_size");
    node.upgrade("/plain?last=1", &[]).await.is(400, "set history_size");
    node.upgrade("/ws/plain?since=0000000000000000:0", &[]).await.is(400, "or ask without since");
}

#[tokio::test]
async fn info_names_this_node() {
    let node = node().await;
    let _client = node.connect("/a").await;
    let told = result(&node, "info", json!({})).await;
    let me = &told["nodes"][0];
    assert_eq!((&me["name"], &me["num_clients"]), (&json!("test"), &json!(1)));
    assert!(me["uptime"].is_u64() && me["leaving"] == false, "{told}");
}

#[tokio::test]
async fn a_client_reads_the_history_it_may() {
    let node = node().await;
    for channel in ["kept:a", "members:a", "secret:a"] {
        node.publish(channel, "old").await;
        node.publish(channel, "new").await;
    }
    let answer = node.get("/api/history?channel=kept:a&limit=1&reverse=true").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["result"]["publications"], json!([{"offset": 2, "data": "new"}]));
    let epoch = told["result"]["epoch"].as_str().unwrap();
    let since = node.get(&format!("/api/history?channel=kept%3Aa&since={epoch}:1")).await.json();
    assert_eq!(offsets(&since["result"]), [2]);
    let lost = node.get("/api/history?channel=kept:a&since=0000000000000000:1").await;
    is_error(&lost, 416, "unrecoverable_position", "began anew");
    is_error(&node.get("/api/history").await, 400, "bad_request", "channel is missing");
    is_error(&node.get("/api/history?channel=secret:a").await, 403, "permission_denied", "read the history");

    let path = "/api/history?channel=members:a";
    let without = node.get(path).await;
    is_error(&without, 401, "unauthorized", "needs a token");
    assert_eq!(without.header("www-authenticate"), Some("Bearer realm=\"fanfare\""));
    let granted = json!({"sub": "me", "channels": ["members:*"]});
    let answer = node.request("GET", path, &[("Authorization", &bearer(&granted, SECRET))], "").await;
    assert_eq!(offsets(&answer.json()["result"]), [1, 2]);
    let in_query = node.get(&format!("{path}&token={}", token(&granted, SECRET))).await;
    assert_eq!(in_query.status, 200, "{}", in_query.text());
    let other = bearer(&json!({"sub": "me", "channels": ["x"]}), SECRET);
    let answer = node.request("GET", path, &[("Authorization", &other)], "").await;
    is_error(&answer, 403, "permission_denied", "does not grant this channel");
    let forged = node.request("GET", path, &[("Authorization", &bearer(&granted, "another"))], "").await;
    is_error(&forged, 401, "unauthorized", "signature");
    assert_eq!(forged.header("www-authenticate"), Some("Bearer realm=\"fanfare\", error=\"invalid_token\""));
}

#[tokio::test]
async fn the_past_of_a_socket_is_judged() {
    let node = node().await;
    for query in
        ["last=0", "last=10001", "last=x", "since=1", "last=1&last=2", "last=1&since=0000000000000000:1"]
    {
        let answer = node.upgrade(&format!("/ws/kept:a?{query}"), &[]).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
    }
    assert_eq!(node.metric("fanfare_handshakes_refused_total{reason=\"past\"}").await, 6.0);
    node.upgrade("/ws/secret:a?last=1", &[]).await.is(403, "read the history");
    node.upgrade("/ws/members:a?last=1", &[]).await.is(401, "needs a token");
    let told = node.upgrade("/ws/kept:a?last=1", &[]).await;
    assert_eq!(told.status, 101);
    assert!(told.header("fanfare-recovered").is_some(), "{told:?}");
    assert_eq!(node.upgrade("/ws/kept:a", &[]).await.header("fanfare-recovered"), None);
}

#[tokio::test]
async fn the_past_comes_before_live_flow() {
    let node = node().await;
    let publish =
        async |text: &str| result(&node, "publish", json!({"channel": "kept:a", "data": text})).await;
    for text in ["1", "2", "3"] {
        publish(text).await;
    }
    let mut last = node.connect("/kept:a?last=2").await;
    assert_eq!(last.headers()["fanfare-recovered"], "true");
    let first = publish("4").await;
    let epoch = first["epoch"].as_str().unwrap();
    let mut since = node.connect(&format!("/kept:a?since={epoch}:1")).await;
    let mut lost = node.connect("/kept:a?since=0000000000000000:1").await;
    assert_eq!(lost.headers()["fanfare-recovered"], "false");
    publish("5").await;
    for (client, texts) in
        [(&mut last, &["2", "3", "4", "5"][..]), (&mut since, &["2", "3", "4", "5"]), (&mut lost, &["5"])]
    {
        for text in texts {
            client.expect(text).await;
        }
    }
}

#[tokio::test]
async fn the_description_needs_no_key() {
    let node = node().await;
    let answer = node.get("/api/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    for path in document["paths"].as_object().unwrap().keys() {
        let answer = node.request("DELETE", path, &[("X-API-Key", KEY)], "").await;
        if ["/sse", "/stream", "/poll"].iter().any(|stream| path.starts_with(stream)) {
            // These answer a handshake, in a sentence.
            answer.is(405, "this path takes");
        } else {
            is_error(&answer, 405, "wrong_method", path);
        }
    }
}

#[tokio::test]
async fn each_listener_serves_its_half_of_history() {
    let toml = "api.listen = [\"127.0.0.1:0\"]\n[[namespace]]\nhistory_size = 10";
    let node = Setup::memory().toml(toml).start().await;
    let api = fanfare_testkit::Endpoint::new(node.addresses().api[0]);
    let (key, body) = ([("X-API-Key", KEY)], r#"{"channel":"a"}"#);
    assert_eq!(api.request("POST", "/api/history", &key, body).await.status, 200);
    assert_eq!(node.get("/api/history?channel=a").await.status, 200);
    is_error(&node.request("POST", "/api/history", &key, body).await, 404, "elsewhere", "api.listen");
    is_error(&api.get("/api/history?channel=a").await, 405, "wrong_method", "/api/history");
}
