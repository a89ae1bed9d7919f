//! Who may do what, with a token: where it may stand, what it grants, and its end.

#![expect(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_testkit::{Setup, TestNode};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";

/// Channels of `private:` want a token to come in, those of `read:` only to publish.
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

fn token(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn in_seconds(seconds: u64) -> u64 {
    (SystemTime::now() + Duration::from_secs(seconds)).duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn a_namespace_that_wants_a_token_lets_nobody_in_without_a_good_one() {
    let node = node().await;
    let without = node.upgrade("/ws/private:1", &[]).await;
    without.is(401, "needs a token");
    assert_eq!(without.header("www-authenticate"), Some("Bearer realm=\"fanfare\""));
    let forged = encode(&Header::default(), &json!({"sub": "me"}), &EncodingKey::from_secret(b"another"));
    let forged = format!("Bearer {}", forged.unwrap());
    node.upgrade("/ws/private:1", &[("Authorization", &forged)]).await.is(401, "signature");
    let other = format!("Bearer {}", token(&json!({"sub": "me", "channels": ["private:2", "x:*"]})));
    node.upgrade("/ws/private:1", &[("Authorization", &other)]).await.is(403, "does not grant this channel");
    let past = format!("Bearer {}", token(&json!({"sub": "me", "exp": in_seconds(0) - 10})));
    let answer = node.upgrade("/ws/private:1", &[("Authorization", &past)]).await;
    answer.is(401, "expired");
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge, Some("Bearer realm=\"fanfare\", error=\"invalid_token\""));
    assert!(!answer.text().contains(past.trim_start_matches("Bearer ")), "no token in an answer");
}

#[tokio::test]
async fn a_token_is_found_wherever_a_client_can_put_it() {
    let node = node().await;
    let token = token(&json!({"sub": "me", "channels": ["private:*"]}));
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
async fn publishing_may_want_a_token_where_reading_does_not() {
    let node = node().await;
    let bearer = format!("Bearer {}", token(&json!({"sub": "me"})));
    let mut reader = node.connect("/ws/read:1").await;
    let mut writer =
        fanfare_testkit::Client::connect_with(&node.ws("/ws/read:1"), &[("authorization", &bearer)]).await;
    writer.text("hello").await;
    reader.expect("hello").await;
    reader.text("may I?").await;
    let (code, reason) = reader.closed().await;
    assert_eq!(code, 1008);
    assert!(reason.contains("needs a token"), "{reason}");
    writer.expect("hello").await;
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_says_so() {
    let node = node().await;
    let bearer = format!("Bearer {}", token(&json!({"sub": "me", "exp": in_seconds(2)})));
    let client =
        fanfare_testkit::Client::connect_with(&node.ws("/ws/private:1"), &[("authorization", &bearer)]).await;
    let (code, reason) = client.closed().await;
    assert_eq!(code, 4001);
    assert!(reason.contains("expired"), "{reason}");
}
