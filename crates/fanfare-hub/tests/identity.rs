//! An identity that is replaced, and what counts as a sign of life.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use fanfare_core::{Access, Channel, Heartbeat, Identity, Namespace};
use tokio::time::sleep;

use crate::support::{Lines, Setup, settle};

/// May use one channel, until it expires.
struct Token {
    channel: &'static str,
    expires_at: Option<SystemTime>,
}

impl Identity for Token {
    fn subject(&self) -> Option<&str> {
        None
    }

    fn may_use(&self, channel: &Channel) -> bool {
        channel.as_str() == self.channel
    }

    fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaced_identity_permits_other_channels() {
    let namespace = Namespace { publish: Access::Token, ..Namespace::default() };
    let node = Setup { namespace, ..Setup::default() }.memory();
    let client = node.client();
    for channel in ["a", "b"] {
        node.hub.sessions.identify(&client.session, Arc::new(Token { channel, expires_at: None }));
        client.say("pub a hello").await;
        settle().await;
    }
    let refused =
        "error 2 the token does not grant this channel (its `channels` claim), so it cannot publish there";
    assert_eq!(client.lines(), ["ok 1", refused]);
}

#[tokio::test(start_paused = true)]
async fn a_new_identity_ends_the_session_on_expiry() {
    let node = Setup::default().memory();
    let client = node.client();
    // The wall clock does not stand still: a token that has expired is the only one whose end is certain.
    let expires_at = Some(SystemTime::UNIX_EPOCH);
    node.hub.sessions.identify(&client.session, Arc::new(Token { channel: "a", expires_at }));
    sleep(Duration::from_secs(3)).await;
    assert_eq!(client.lines(), ["close 78 expired"]);
}

const SECONDS: Heartbeat = Heartbeat {
    ping_interval: Duration::from_secs(5),
    pong_timeout: Duration::from_secs(3),
    idle_timeout: Duration::ZERO,
};

#[tokio::test(start_paused = true)]
async fn a_strict_dialect_wants_the_pong() {
    let node = Setup { dialect: Lines::strict(), heartbeat: SECONDS, ..Setup::default() }.memory();
    let (good, talkative) = (node.client(), node.client());
    for _ in 0..40 {
        sleep(Duration::from_millis(500)).await;
        talkative.say("pub a hello").await;
        if good.lines().iter().any(|line| line == "ping") {
            good.say("pong").await;
        }
    }
    assert!(!good.session.has_ended());
    assert!(talkative.session.has_ended(), "what it says is not an answer");
}

#[tokio::test(start_paused = true)]
async fn a_pong_without_a_ping_ends_the_session() {
    let node = Setup { dialect: Lines::strict(), ..Setup::default() }.memory();
    let client = node.client();
    client.say("pong").await;
    assert_eq!(client.lines(), ["goodbye bad_request", "close 71 a pong came without a ping"]);
}

#[tokio::test(start_paused = true)]
async fn a_decoder_may_answer_by_itself() {
    let node = Setup::default().memory();
    let client = node.client();
    client.tell(&["sub a", "hello", "unsub b"]);
    settle().await;
    let mut lines = client.lines();
    lines.sort();
    assert_eq!(lines, ["hello yourself", "ok 1", "ok 2"]);
}
