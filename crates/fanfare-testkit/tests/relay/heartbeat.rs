//! Sign of life, for real: pings on the wire, and what becomes of who does not answer.

use fanfare_testkit::{Setup, TestNode};

async fn node(toml: &str) -> TestNode {
    Setup::memory().toml(&format!("[relay]\n{toml}")).start().await
}

#[tokio::test]
async fn a_client_that_answers_pings_stays_and_one_that_does_not_is_dropped() {
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
async fn an_idle_session_is_told_why_it_ends() {
    let node = node("idle_timeout = \"2s\"").await;
    let (code, reason) = node.connect("/ws/a").await.closed().await;
    assert_eq!(code, 4000);
    assert!(reason.contains("no message came or went"), "{reason}");
}
