//! The upgrade at `/connection/websocket`, whose clients connect and subscribe by commands.

use fanfare_testkit::{
    Setup, TestNode,
    token::{bearer, in_seconds},
};
use serde_json::json;

const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";
const PATH: &str = "/connection/websocket";

async fn node() -> TestNode {
    let toml = format!("browser_errors = true\n[auth]\nhmac_secrets = [\"{SECRET}\"]\n");
    Setup::memory().toml(&toml).start().await
}

#[tokio::test]
async fn the_subprotocol_is_echoed() {
    let node = node().await;
    let table = [
        ("centrifuge-json", Some("centrifuge-json")),
        ("centrifuge-protobuf", Some("centrifuge-protobuf")),
        ("chat, centrifuge-protobuf, centrifuge-json", Some("centrifuge-protobuf")),
        ("chat", Some("chat")),
    ];
    for (offered, echoed) in table {
        let answer = node.upgrade(PATH, &[("Sec-WebSocket-Protocol", offered)]).await;
        answer.is(101, "");
        assert_eq!(answer.header("sec-websocket-protocol"), echoed, "{offered}");
    }
    let answer = node.upgrade(&format!("{PATH}?format=protobuf"), &[]).await;
    answer.is(101, "");
    assert_eq!(answer.header("sec-websocket-protocol"), None);
}

/// Headers, status, words.
type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);

/// Also to browsers: a close frame would end the attempts of their clients.
#[tokio::test]
async fn a_refusal_is_a_status() {
    let node = node().await;
    let own = node.url();
    let forged = bearer(&json!({"sub": "me"}), "another");
    let past = bearer(&json!({"sub": "me", "exp": in_seconds(-60)}), SECRET);
    let subscription = bearer(&json!({"sub": "me", "channel": "chat"}), SECRET);
    let table: [Case<'_>; 6] = [
        (
            &[("Upgrade", ""), ("Connection", ""), ("Sec-WebSocket-Key", "")],
            426,
            "connect with a WebSocket client",
        ),
        (&[("Sec-WebSocket-Version", "12")], 426, "Sec-WebSocket-Version: 13"),
        (&[("Origin", "https://evil.example")], 403, "may not use this server"),
        (&[("Origin", &own), ("Authorization", &forged)], 401, "signature"),
        (&[("Origin", &own), ("Authorization", &past)], 401, "expired"),
        (&[("Origin", &own), ("Authorization", &subscription)], 401, "for a subscription"),
    ];
    for (headers, status, words) in table {
        node.upgrade(PATH, headers).await.is(status, words);
    }
    let good = bearer(&json!({"sub": "me", "exp": in_seconds(60)}), SECRET);
    node.upgrade(PATH, &[("Authorization", &good)]).await.is(101, "");
    node.upgrade("/connection/other", &[]).await.is(404, "kept by the server");
    node.get(PATH).await.is(426, "connect with a WebSocket client");
}

#[tokio::test]
async fn the_limit_of_connections_counts_here_too() {
    let node = Setup::memory().toml("limits.connections_per_address = 1").start().await;
    let mut first = node.raw().await;
    first.upgrade(PATH, &[]).await.is(101, "");
    node.upgrade(PATH, &[]).await.is(429, "limits.connections_per_address");
    node.upgrade("/ws/chat", &[]).await.is(429, "limits.connections_per_address");
}
