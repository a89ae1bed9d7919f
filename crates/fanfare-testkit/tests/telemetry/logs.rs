//! The log: a line of JSON for each ended connection and each refusal, within the configured rate.

use fanfare_testkit::{KEY, Process, assert_eventually, token::bearer};
use fanfare_websocket::{FrameHead, Opcode};
use serde_json::Value;

use crate::ledger::{Ledger, Member};

const DOCUMENTED: &str = include_str!("../../../../docs/logs.md");

async fn node(toml: &str) -> Process {
    let node = Process::serve(&["--listen", "127.0.0.1:0", "--node", "north"], toml).await;
    node.is_ready().await;
    node
}

/// The lines of a target. Every line of the log is an object.
fn lines(node: &Process, target: &str) -> Vec<Value> {
    let lines = node.log();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["target"] == target).collect()
}

/// The line of the connection that ended for this reason, once it is logged.
async fn access_line(node: &Process, reason: &str) -> Value {
    let mut found;
    assert_eventually!(
        {
            found = lines(node, "fanfare::access").into_iter().find(|line| line["reason"] == reason);
            found.is_some()
        },
        "a line for {reason}: {}",
        node.log()
    );
    found.unwrap()
}

fn has_counts(line: &Value, ledger: &Ledger) {
    let found = ["messages_received", "bytes_received", "messages_sent", "bytes_sent"]
        .map(|name| line[name].as_u64().unwrap());
    let Ledger { messages_received, bytes_received, messages_sent, bytes_sent, .. } = ledger;
    assert_eq!(found, [*messages_received, *bytes_received, *messages_sent, *bytes_sent], "{line}");
}

/// Checks that the documentation has every field.
fn assert_documented(line: &Value) {
    for field in line.as_object().unwrap().keys() {
        assert!(DOCUMENTED.contains(&format!("`{field}`")), "docs/logs.md does not describe {field}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_ended_connection_has_one_line() {
    let node = node("limits.message_bytes = \"1KiB\"\nrelay.ping_interval = \"60m\"").await;
    let join = || Member::join(*node, "/ws/chat", &[]);
    let (mut leaves, mut vanishes, mut talks_much) = (join().await, join().await, join().await);
    leaves.text("hello").await;
    for member in [&mut leaves, &mut vanishes, &mut talks_much] {
        member.has(1).await;
    }
    let leaves = leaves.leaves(&[&4000_u16.to_be_bytes()[..], b"pl4nted"].concat(), "4xxx").await;
    let vanishes = vanishes.vanishes().await;
    talks_much.frame(FrameHead::whole(Opcode::Text), &[b'x'; 2000]).await;
    let talks_much = talks_much.closed("1009", "message_too_big").await;
    node.upgrade("/ws/chat", &[("Origin", "https://elsewhere.example")]).await.is(403, "");

    let line = access_line(&node, "client").await;
    has_counts(&line, &leaves);
    let words = ["level", "message", "node", "dialect", "transport", "client"]
        .map(|name| line[name].as_str().unwrap());
    assert_eq!(words, ["INFO", "connection ended", "north", "relay", "websocket", "127.0.0.1"]);
    assert_eq!(line["code"], 4000);
    assert!(line["seconds"].as_f64().unwrap() >= 0.0 && line["session"].as_u64().is_some(), "{line}");
    assert!(!line.to_string().contains("pl4nted") && line.get("detail").is_none(), "{line}");
    let time = humantime::parse_rfc3339(line["timestamp"].as_str().unwrap()).unwrap();
    assert!(time.elapsed().is_ok(), "a past time: {line}");
    assert_documented(&line);
    let line = access_line(&node, "lost").await;
    has_counts(&line, &vanishes);
    assert!(line.get("code").is_none(), "{line}");
    let line = access_line(&node, "message_too_big").await;
    has_counts(&line, &talks_much);
    assert_eq!(line["code"], 1009);
    assert_eq!(lines(&node, "fanfare::access").len(), 3, "a refused client is not a connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_line_names_channel_and_subject() {
    const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";
    let node = node(&format!("auth.hmac_secrets = [\"{SECRET}\"]")).await;
    let bearer = bearer(&serde_json::json!({"sub": "ada@example.com"}), SECRET);
    Member::join(*node, "/ws/rooms%2F%C3%A4", &[("Authorization", &bearer)]).await.vanishes().await;
    let line = access_line(&node, "lost").await;
    assert_eq!(
        (&line["channel"], &line["subject"]),
        (&"rooms/ä".into(), &"ada@example.com".into()),
        "{line}"
    );
    assert_documented(&line);
}

/// The line of a refusal with this status, once it is logged.
async fn refusal(node: &Process, status: u16) -> Value {
    let mut found;
    assert_eventually!(
        {
            found = lines(node, "fanfare::refusal").into_iter().find(|line| line["status"] == status);
            found.is_some()
        },
        "a line for {status}: {}",
        node.log()
    );
    found.unwrap()
}

fn says(line: &Value, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        assert_eq!(line[*name], *value, "{name} in {line}");
    }
    assert_eq!((&line["level"], &line["client"]), (&"INFO".into(), &"127.0.0.1".into()), "{line}");
    assert_documented(line);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_has_a_line_with_its_reason() {
    let node = node("").await;
    let origin = "https://elsewhere.example";
    node.upgrade("/ws/chat", &[("Origin", origin)]).await.is(403, "");
    let line = refusal(&node, 403).await;
    let detail = line["detail"].as_str().unwrap();
    assert!(detail.contains("origins.allow = [\"https://elsewhere.example\"]"), "{line}");
    says(
        &line,
        &[("message", "handshake refused"), ("reason", "origin"), ("origin", origin), ("channel", "chat")],
    );

    let pl4nted = "{\"channel\": \"chat\", \"pl4nted-field\": \"pl4nted\"}";
    let key = [("X-API-Key", KEY)];
    node.request("POST", "/api/publish?pl4nted", &key, pl4nted).await.is(400, "pl4nted-field");
    let call = [("message", "request refused"), ("method", "POST"), ("path", "/api/publish")];
    let takes = r#"the body is not what /api/publish takes, {"channel", "data" or "b64data"}"#;
    let bad = [("reason", "bad_request"), ("detail", takes)];
    says(&refusal(&node, 400).await, &[&call[..], &bad].concat());
    node.request("POST", "/api/publish", &[("X-API-Key", "pl4nted-wrong-key")], pl4nted).await.is(401, "");
    says(&refusal(&node, 401).await, &[&call[..], &[("reason", "unauthorized")]].concat());
    let large = serde_json::json!({"channel": "chat", "data": "pl4nted".repeat(10_000)}).to_string();
    node.request("POST", "/api/publish", &key, &large).await.is(413, "");
    says(&refusal(&node, 413).await, &[&call[..], &[("reason", "too_large"), ("channel", "chat")]].concat());
    node.request("DELETE", "/rooms/1?pl4nted", &[], "").await.is(405, "");
    says(&refusal(&node, 405).await, &[("path", "/rooms/1"), ("channel", "rooms/1"), ("reason", "method")]);
    assert!(!node.log().contains("pl4nted") && !node.log().contains(KEY), "{}", node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_dev_browser_and_log_agree() {
    let node = Process::serve(&["--dev", "--listen", "127.0.0.1:0"], "log.format = \"json\"").await;
    node.is_ready().await;
    let mut client = node.raw().await;
    client.upgrade("/chat", &[("Origin", "https://elsewhere.example")]).await.is(101, "");
    let said = String::from_utf8_lossy(&client.next_frame().await.payload).into_owned();
    assert!(said.contains("origins.allow = [\"https://elsewhere.example\"]"), "{said}");
    let is_it = |line: &str| line.contains("\"close_code\":4403") && line.contains("elsewhere.example");
    assert_eventually!(node.log().lines().any(is_it), "the log has the refusal: {}", node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_cannot_flood_the_log() {
    let node = node("log.lines_per_second = 1").await;
    for _ in 0..100 {
        node.upgrade("/admin", &[]).await.is(404, "");
    }
    let mut found;
    assert_eventually!(
        {
            let missing = lines(&node, "fanfare::log");
            let missing: u64 = missing.iter().map(|line| line["lines"].as_u64().unwrap()).sum();
            found = lines(&node, "fanfare::refusal").len() as u64 + missing;
            found == 100
        },
        "100 refusals, and {found} lines logged or counted as suppressed: {}",
        node.log()
    );
    node.get("/admin").await.is(404, "");
    assert_eq!(refusal(&node, 404).await["reason"], "kept_path");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_cannot_flood_the_log() {
    const MEMBERS: u64 = 200;
    let node = node("log.lines_per_second = 1").await;
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        members.push(Member::join(*node, "/ws/chat", &[]).await);
    }
    for member in members {
        member.vanishes().await;
    }
    let mut found;
    assert_eventually!(
        {
            let missing = lines(&node, "fanfare::log");
            let missing: u64 = missing.iter().map(|line| line["lines"].as_u64().unwrap()).sum();
            found = (lines(&node, "fanfare::access").len() as u64, missing);
            found.0 + found.1 == MEMBERS
        },
        "{MEMBERS} connections, and lines logged and suppressed: {found:?}: {}",
        node.log()
    );
    assert_eq!(node.metric("fanfare_log_lines_suppressed_total").await, found.1 as f64);
    assert!(found.1 > 0, "{}", node.log());
    assert_eq!(lines(&node, "fanfare::log")[0]["like"], "connection ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_log_stops_nothing() {
    // A line has some 300 bytes: more than the pipe (64 KiB) and the queue (1 MiB) hold, and more than the pipe holds.
    let (many, some) = (6_000, 600);
    let mut node = node("log.lines_per_second = 0\nrelay.ping_interval = \"60m\"").await;
    let mut stays = Member::join(*node, "/ws/chat", &[]).await;
    node.read_log(false);
    for _ in 0..many {
        Member::join(*node, "/ws/chat", &[]).await.vanishes().await;
    }
    // The pipe and the queue are full: further lines are dropped, and nothing else.
    assert_eventually!(node.metric("fanfare_log_lines_dropped_total").await > 0.0, "lines are dropped");
    assert_eq!(node.request("GET", "/healthz", &[], "").await.status, 200);
    stays.text("hello").await;
    stays.has(1).await;
    node.read_log(true);
    node.logs("log lines were dropped").await;
    for line in node.log().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "a line is whole: {line}");
    }
    node.read_log(false);
    for _ in 0..some {
        Member::join(*node, "/ws/chat", &[]).await.vanishes().await;
    }
    node.terminate();
    assert!(node.wait().await.success(), "the node ends without a reader");
}
