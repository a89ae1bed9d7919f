//! The HTTP API for backends: keys, accepted bodies, and the answers to errors.

use std::time::Duration;

use fanfare_testkit::{
    Answer, Direction, KEY, Observer, Proxy, RedisServer, Setup, TestNode, redis_server, within,
};
use serde_json::{Value, json};

fn hello() -> Value {
    json!({"channel": "chat", "data": "hello"})
}

/// Checks the status and the reason of an error, and the words of its sentence.
pub(crate) fn is_error(answer: &Answer, status: u16, reason: &str, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    let answered = answer.json();
    let member = |name: &str| answered.pointer(&format!("/error/{name}")).and_then(Value::as_str);
    assert_eq!(member("reason"), Some(reason), "{}", answer.text());
    let number = answered.pointer("/error/code").and_then(Value::as_u64);
    assert!(number.is_some_and(|number| (100..=113).contains(&number)), "{}", answer.text());
    assert!(member("message").is_some_and(|message| message.contains(words)), "{}", answer.text());
}

async fn publish_with(node: &TestNode, headers: &[(&str, &str)]) -> Answer {
    node.request("POST", "/api/publish", headers, hello().to_string()).await
}

#[tokio::test]
async fn only_a_valid_key_opens_the_api() {
    let node = Setup::memory().start().await;
    let without = publish_with(&node, &[]).await;
    is_error(&without, 401, "unauthorized", "an API key is needed");
    assert_eq!(without.header("www-authenticate"), Some("ApiKey realm=\"fanfare\""));
    let guesses = ["wrong-key-0123456789", &KEY[..KEY.len() - 1], "x", ""];
    let answers = {
        let mut answers = Vec::new();
        for guess in guesses {
            let answer = publish_with(&node, &[("X-API-Key", guess)]).await;
            is_error(&answer, 401, "unauthorized", "this API key is not one of this server's");
            assert!(guess.len() < 2 || !answer.text().contains(guess));
            answers.push(answer.body);
        }
        answers
    };
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "the answer does not depend on the wrong key"
    );
    for headers in [[("X-API-Key", KEY)], [("Authorization", &format!("apikey {KEY}")[..])]] {
        let answer = publish_with(&node, &headers).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"result": {}})));
    }
    let twice = publish_with(&node, &[("X-API-Key", KEY), ("X-API-Key", KEY)]).await;
    is_error(&twice, 401, "unauthorized", "more than once");
}

#[tokio::test]
async fn without_keys_only_dev_opens_the_api() {
    let closed = Setup::memory().without_key().start().await;
    for headers in [&[][..], &[("X-API-Key", KEY)]] {
        is_error(&publish_with(&closed, headers).await, 401, "unauthorized", "this server has no API keys");
    }
    let dev = Setup::memory().dev().start().await;
    assert_eq!(publish_with(&dev, &[]).await.status, 200);
}

#[tokio::test]
async fn a_wrong_body_gets_the_reason() {
    let node = Setup::memory().start().await;
    for (body, words) in [
        ("", "it is empty, and must be an object"),
        ("hello", "expected value"),
        ("{}", "missing field `channel`"),
        (r#"{"data": "x"}"#, "missing field `channel`"),
        (r#"{"channel": "chat"}"#, "neither data nor b64data"),
        (r#"{"channel": "chat", "data": 1, "b64data": ""}"#, "exclude each other"),
        (r#"{"channel": "chat", "b64data": "%"}"#, "not base64"),
        (r#"{"channel": "chat", "data": 1, "chanel": 2}"#, "unknown field `chanel`"),
        (r#"{"channel": 1, "data": 1}"#, "expected a string"),
        (r#"{"channel": "", "data": 1}"#, "must not be empty"),
        (r#"{"channel": "a b", "data": 1}"#, "visible characters only"),
        (r#"["chat", "x"]"#, "it is an array, and must be an object"),
        (r#" ["chat", "x", null]"#, "it is an array, and must be an object"),
    ] {
        let answer = node.request("POST", "/api/publish", &[("X-API-Key", KEY)], body).await;
        is_error(&answer, 400, "bad_request", words);
    }
}

#[tokio::test]
async fn too_large_a_body_gets_the_limit() {
    let node = Setup::memory().toml("limits.message_bytes = \"1KiB\"").start().await;
    node.publish("chat", "x".repeat(1024)).await;
    let answer = node.post(&json!({"channel": "chat", "data": "x".repeat(1025)})).await;
    is_error(&answer, 413, "too_large", "1025 bytes, a message has at most 1024");
    let answer = node.post(&json!({"channel": "chat", "data": "x".repeat(100_000)})).await;
    is_error(&answer, 413, "too_large", "");
}

#[tokio::test]
async fn an_encoded_body_is_refused() {
    let node = Setup::memory().start().await;
    let mut reader = node.connect("/chat").await;
    for encoding in ["gzip", "br", "identity, deflate"] {
        let answer = publish_with(&node, &[("X-API-Key", KEY), ("Content-Encoding", encoding)]).await;
        is_error(&answer, 415, "unsupported_encoding", "send the body without");
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
    }
    let answer = publish_with(&node, &[("X-API-Key", KEY), ("Content-Encoding", "identity")]).await;
    assert_eq!(answer.status, 200);
    reader.expect("hello").await;
}

/// Checks the headers that a browser needs to show the answer to its page.
fn is_for(answer: &Answer, origin: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{answer:?}");
    let vary = answer.header("vary").unwrap_or_default();
    assert!(vary.to_ascii_lowercase().contains("origin"), "{answer:?}");
}

const PAGE: &str = "https://app.example";

async fn preflight(node: &TestNode, path: &str, origin: &str) -> Answer {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type, x-api-key"),
    ];
    node.request("OPTIONS", path, &headers, "").await
}

#[tokio::test]
async fn an_allowed_page_can_read_its_answers() {
    let node = Setup::memory().toml("origins.allow = [\"https://app.example\"]").start().await;
    for path in ["/api/publish", "/api/cluster", "/api/nothing"] {
        let answer = preflight(&node, path, PAGE).await;
        assert_eq!(answer.status, 200, "{path}: a preflight needs no key");
        is_for(&answer, PAGE);
        let allowed = answer.header("access-control-allow-headers").unwrap_or_default();
        assert!(
            ["x-api-key", "authorization", "content-type", "x-idempotency-key"]
                .iter()
                .all(|name| allowed.contains(name)),
            "{answer:?}"
        );
        assert!(
            answer.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST"))
        );
        assert!(answer.header("access-control-max-age").is_some(), "{answer:?}");
    }
    let origin = ("Origin", PAGE);
    let taken = publish_with(&node, &[origin, ("X-API-Key", KEY)]).await;
    assert_eq!(taken.status, 200);
    let refused = publish_with(&node, &[origin]).await;
    is_error(&refused, 401, "unauthorized", "an API key is needed");
    let wrong = node.request("POST", "/api/publish", &[origin, ("X-API-Key", KEY)], "{}").await;
    is_error(&wrong, 400, "bad_request", "missing field");
    let nothing = node.request("POST", "/api/nothing", &[origin, ("X-API-Key", KEY)], "{}").await;
    is_error(&nothing, 404, "no_such_method", "POST /api/publish");
    let cluster = node.request("GET", "/api/cluster", &[origin], "").await;
    assert_eq!(cluster.status, 200);
    for answer in [&taken, &refused, &wrong, &nothing, &cluster] {
        is_for(answer, PAGE);
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        assert!(exposed.contains("retry-after"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_forbidden_page_publishes_nothing() {
    let open = "origins.allow = [\"https://app.example\"]";
    for node in [Setup::memory().toml(open).start().await, Setup::memory().dev().start().await] {
        let mut reader = node.connect("/chat").await;
        for origin in ["https://evil.example", "null"] {
            // A request that a browser sends without a preflight.
            let simple = [("Origin", origin), ("Content-Type", "text/plain"), ("X-API-Key", KEY)];
            let answer = publish_with(&node, &simple).await;
            is_error(&answer, 403, "origin_not_allowed", &format!("origins.allow = [\"{origin}\"]"));
            assert_eq!(answer.header("access-control-allow-origin"), None);
            let refused = preflight(&node, "/api/publish", origin).await;
            is_error(&refused, 403, "origin_not_allowed", "origins.allow");
            assert_eq!(refused.header("access-control-allow-origin"), None);
            let cluster = node.request("GET", "/api/cluster", &[("Origin", origin)], "").await;
            is_error(&cluster, 403, "origin_not_allowed", "origins.allow");
        }
        publish_with(&node, &[("X-API-Key", KEY)]).await;
        reader.expect("hello").await;
        assert!(node.metric("fanfare_api_errors_total{reason=\"origin_not_allowed\"}").await >= 6.0);
    }
}

#[tokio::test]
async fn under_dev_local_pages_can_call() {
    let node = Setup::memory().dev().start().await;
    let answer =
        publish_with(&node, &[("Origin", "http://localhost:3000"), ("Content-Type", "text/plain")]).await;
    assert_eq!(answer.status, 200);
    is_for(&answer, "http://localhost:3000");
}

#[tokio::test]
async fn errors_name_the_right_method_and_path() {
    let node = Setup::memory().start().await;
    let key = [("X-API-Key", KEY)];
    let answer = node.request("GET", "/api/publish", &key, "").await;
    is_error(&answer, 405, "wrong_method", "POST /api/publish");
    assert_eq!(answer.header("allow"), Some("POST"));
    is_error(&node.request("POST", "/api/cluster", &[], "").await, 405, "wrong_method", "/api/cluster");
    is_error(
        &node.request("POST", "/api/pubish", &key, "{}").await,
        404,
        "no_such_method",
        "POST /api/publish",
    );
    is_error(&node.request("POST", "/api/pubish", &[], "{}").await, 401, "unauthorized", "");
}

/// A node with a proxy in front of its Redis.
async fn behind_proxy(toml: &str) -> (RedisServer, Proxy, TestNode) {
    let redis = redis_server().await;
    let proxy = Proxy::start(redis.port()).await;
    let node = Setup::redis(&proxy.url()).toml(toml).start().await;
    (redis, proxy, node)
}

/// A publish in progress.
fn publishing(node: &TestNode) -> tokio::task::JoinHandle<Answer> {
    let endpoint = **node;
    tokio::spawn(async move { endpoint.post(&hello()).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_waits_for_the_answer_of_redis() {
    let (redis, proxy, node) = behind_proxy("").await;
    let mut observer = Observer::of(&redis, "chat").await;
    proxy.stall(Direction::ToClient);
    let publishing = publishing(&node);
    observer.sees("hello").await;
    assert!(!publishing.is_finished(), "Redis published the message, and its answer has not come yet");
    proxy.resume(Direction::ToClient);
    let answer = within("the API answers", publishing).await.unwrap();
    assert_eq!((answer.status, answer.json()), (200, json!({"result": {}})));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_publish_is_refused() {
    let (mut redis, _proxy, node) = behind_proxy("limits.publish_wait = \"200ms\"").await;
    redis.kill().await.unwrap();
    node.is_away_from_its_broker().await;
    let answer = node.post(&hello()).await;
    is_error(&answer, 503, "refused", "the message broker did not take it");
    assert_eq!(answer.header("retry-after"), Some("1"));
    redis.restart().await.unwrap();
    node.is_ready().await;
    node.publish("chat", "hello").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_waits_for_redis_to_return() {
    let (mut redis, _proxy, node) = behind_proxy("limits.publish_wait = \"1m\"").await;
    redis.kill().await.unwrap();
    node.is_away_from_its_broker().await;
    let publishing = publishing(&node);
    redis.restart().await.unwrap();
    assert_eq!(within("the API answers", publishing).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_publish_is_unknown() {
    let (redis, proxy, node) = behind_proxy("").await;
    let mut observer = Observer::of(&redis, "chat").await;
    proxy.stall(Direction::ToClient);
    let publishing = publishing(&node);
    observer.sees("hello").await;
    proxy.cut();
    proxy.resume(Direction::ToClient);
    let answer = within("the API answers", publishing).await.unwrap();
    is_error(&answer, 504, "outcome_unknown", "may still be delivered");
    assert_eq!(answer.header("retry-after"), None);
    node.is_ready().await;
    node.publish("chat", "next").await;
    observer.sees("next").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_tells_of_a_refused_message() {
    let (mut redis, _proxy, node) = behind_proxy("limits.publish_wait = \"200ms\"").await;
    let mut sender = node.connect("/chat").await;
    let mut reader = node.connect("/chat").await;
    redis.kill().await.unwrap();
    node.is_away_from_its_broker().await;
    sender.text("hello").await;
    let (code, reason) = sender.closed().await;
    assert_eq!(code, 1013);
    assert!(reason.contains("refused") && reason.contains("send it again"), "{reason}");
    redis.restart().await.unwrap();
    node.is_ready().await;
    node.publish("chat", "next").await;
    reader.expect("next").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_tells_of_an_unknown_outcome() {
    let (redis, proxy, node) = behind_proxy("").await;
    let mut observer = Observer::of(&redis, "chat").await;
    let mut sender = node.connect("/chat").await;
    proxy.stall(Direction::ToClient);
    sender.text("hello").await;
    observer.sees("hello").await;
    proxy.cut();
    proxy.resume(Direction::ToClient);
    let (code, reason) = sender.closed().await;
    assert_eq!(code, 1013);
    assert!(reason.contains("unknown") && !reason.contains("send it again"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_redis_is_waited_for() {
    let (_redis, proxy, node) = behind_proxy("limits.publish_wait = \"200ms\"").await;
    let mut client = node.connect("/chat").await;
    // Longer than a publish may wait for a broker that is away: this broker is not.
    proxy.delay(Direction::ToClient, Duration::from_millis(600));
    node.publish("chat", "slowly").await;
    client.expect("slowly").await;
}
