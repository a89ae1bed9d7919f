//! Heartbeats with real pings: a client that does not answer is closed.

use fanfare_testkit::{Setup, TestNode};

async fn node(toml: &str) -> TestNode {
    Setup::memory().toml(&format!("[relay]\n{toml}")).start().await
}

#[tokio::test]
async fn only_a_client_without_pongs_is_dropped() {
    let node = node("ping_interval = \"1s\"\npong_timeout = \"1s\"").await;
    let mut alive = node.connect("/ws/a").await;
    let mut dead = node.raw().await;
    dead.upgrade("/ws/a", &[]).await.is(101, "");
    // A client answers pings while it reads.
    let alive = tokio::spawn(async move { alive.expect("still there?").await });
    let rest = dead.end().await;
    assert!(rest.starts_with(&[0x89, 0]), "a ping came first: {rest:?}");
    node.publish("a", "still there?").await;
    assert!(alive.await.is_ok());
}

#[tokio::test]
async fn an_idle_session_ends_with_its_reason() {
    let node = node("idle_timeout = \"2s\"").await;
    let (code, reason) = node.connect("/ws/a").await.closed().await;
    assert_eq!(code, 4000);
    assert!(reason.contains("no message came or went"), "{reason}");
}
