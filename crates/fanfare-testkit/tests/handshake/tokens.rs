//! Tokens: their places in a request, their rights, and their end.

use fanfare_testkit::{
    Client, Setup, TestNode,
    token::{bearer, in_seconds, token},
};
use serde_json::json;

const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";

/// A node on which `private:` wants a token to subscribe, and `read:` only to publish.
async fn node() -> TestNode {
    let toml = format!(
        r#"
        [auth]
        hmac_secrets = ["{SECRET}"]
        leeway = "0s"
        [[namespace]]
        name = "private"
        subscribe = "token"
        publish = "token"
        [[namespace]]
        name = "read"
        publish = "token"
        "#
    );
    Setup::memory().toml(&toml).start().await
}

#[tokio::test]
async fn a_namespace_can_want_a_token() {
    let node = node().await;
    let without = node.upgrade("/ws/private:1", &[]).await;
    without.is(401, "needs a token");
    assert_eq!(without.header("www-authenticate"), Some("Bearer realm=\"fanfare\""));
    let forged = bearer(&json!({"sub": "me"}), "another");
    node.upgrade("/ws/private:1", &[("Authorization", &forged)]).await.is(401, "signature");
    let other = bearer(&json!({"sub": "me", "channels": ["private:2", "x:*"]}), SECRET);
    node.upgrade("/ws/private:1", &[("Authorization", &other)]).await.is(403, "does not grant this channel");
    let past = bearer(&json!({"sub": "me", "exp": in_seconds(-10)}), SECRET);
    let answer = node.upgrade("/ws/private:1", &[("Authorization", &past)]).await;
    answer.is(401, "expired");
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge, Some("Bearer realm=\"fanfare\", error=\"invalid_token\""));
    assert!(!answer.text().contains(past.trim_start_matches("Bearer ")), "no token in an answer");
}

#[tokio::test]
async fn a_name_can_restrict_its_subscribers() {
    let node = node().await;
    node.upgrade("/ws/%24secret", &[]).await.is(401, "begins with `$`");
    node.upgrade("/ws/room%23you,me", &[]).await.is(403, "only the users behind");
    let named = bearer(&json!({"sub": "me", "channels": ["$secret"]}), SECRET);
    let all = bearer(&json!({"sub": "me"}), SECRET);
    node.upgrade("/ws/%24secret", &[("Authorization", &all)]).await.is(401, "begins with `$`");
    node.upgrade("/ws/%24secret", &[("Authorization", &named)]).await.is(101, "");
    node.upgrade("/ws/room%23you,me", &[("Authorization", &all)]).await.is(101, "");
}

#[tokio::test]
async fn a_token_may_stand_in_several_places() {
    let node = node().await;
    let token = token(&json!({"sub": "me", "channels": ["private:*"]}), SECRET);
    let places: [(&'static str, String); 3] = [
        ("Authorization", format!("Bearer {token}")),
        ("Cookie", format!("a=b; fanfare_token={token}")),
        ("Sec-WebSocket-Protocol", format!("fanfare, token.{token}")),
    ];
    for (name, value) in &places {
        node.upgrade("/ws/private:1", &[(name, value)]).await.is(101, "");
    }
    node.upgrade(&format!("/ws/private:1?token={token}"), &[]).await.is(101, "");
    let [_, _, (name, value)] = &places;
    let answer = node.upgrade("/ws/private:1", &[(name, value)]).await;
    assert_eq!(answer.header("sec-websocket-protocol"), Some("fanfare"), "the token is not echoed");
}

#[tokio::test]
async fn publishing_alone_can_want_a_token() {
    let node = node().await;
    let bearer = bearer(&json!({"sub": "me"}), SECRET);
    let mut reader = node.connect("/ws/read:1").await;
    let mut writer = Client::connect_with(&node.ws("/ws/read:1"), &[("authorization", &bearer)]).await;
    writer.text("hello").await;
    reader.expect("hello").await;
    reader.text("may I?").await;
    let (code, reason) = reader.closed().await;
    assert_eq!(code, 1008);
    assert!(reason.contains("needs a token"), "{reason}");
    writer.expect("hello").await;
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let node = node().await;
    let bearer = bearer(&json!({"sub": "me", "exp": in_seconds(2)}), SECRET);
    let client = Client::connect_with(&node.ws("/ws/private:1"), &[("authorization", &bearer)]).await;
    let (code, reason) = client.closed().await;
    assert_eq!(code, 4001);
    assert!(reason.contains("expired"), "{reason}");
}
