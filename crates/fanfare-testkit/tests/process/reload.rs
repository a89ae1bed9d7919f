//! SIGHUP to the real binary: the changes, the clients that they concern, and the log lines about them.

use fanfare_testkit::{
    Client, KEY, Message, Process, assert_eventually,
    token::{bearer, in_seconds},
};
use serde_json::{Value, json};

const NEW_KEY: &str = "another-key-of-the-tests-0123456789";
const PAGE: [(&str, &str); 1] = [("Origin", "https://app.example")];

/// A pong of a client, without a ping and a payload.
const PONG: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0];

async fn node(toml: &str) -> Process {
    let node = Process::serve_alone(&["--listen", "127.0.0.1:0", "--node", "test"], toml).await;
    node.is_ready().await;
    node
}

async fn publish(node: &Process, key: &str, text: &str) -> u16 {
    let body = json!({"channel": "chat", "data": text}).to_string();
    node.request("POST", "/api/publish", &[("X-API-Key", key)], body).await.status
}

/// The log's lines about the configuration, without the first, which names the addresses.
fn said(node: &Process) -> Vec<Value> {
    let lines = node.log();
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_about =
        |line: &Value| line.get("message").is_some_and(|said| said.to_string().contains("configuration"));
    lines.filter(is_about).collect()
}

/// Waits until the newest of these lines has this value.
async fn says(node: &Process, name: &str, what: &str) {
    let last = || said(node).last().and_then(|line| Some(line.get(name)?.as_str()?.to_owned()));
    assert_eventually!(last().as_deref() == Some(what), "{name} is {what:?}: {}", node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_key_is_replaced() {
    let node = node(&format!("api.keys = [\"{KEY}\"]")).await;
    let mut client = node.connect("/chat").await;
    assert_eq!((publish(&node, KEY, "1").await, publish(&node, NEW_KEY, "x").await), (200, 401));
    node.reload(&format!("api.keys = [\"{KEY}\", \"{NEW_KEY}\"]")).await;
    assert_eq!((publish(&node, KEY, "2").await, publish(&node, NEW_KEY, "3").await), (200, 200));
    node.reload(&format!("\n# Moved down.\napi.keys = [\"{NEW_KEY}\"]")).await;
    assert_eq!((publish(&node, KEY, "x").await, publish(&node, NEW_KEY, "4").await), (401, 200));
    for text in ["1", "2", "3", "4"] {
        client.expect(text).await;
    }
    says(&node, "changed", "api.keys").await;
    node.reload(&format!("api.keys = [\"{NEW_KEY}\"]")).await;
    says(&node, "message", "configuration reloaded: nothing has changed").await;
    assert!(!node.log().contains("key-of-the-tests"), "{}", node.log());
    assert_eq!(node.metric("fanfare_config_reloads_total{result=\"success\"}").await, 3.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn origins_change_for_new_clients_only() {
    let node = node("").await;
    node.upgrade("/chat", &PAGE).await.is(403, "origins.allow = [\"https://app.example\"]");
    node.reload("origins.allow = [\"https://app.example\"]").await;
    let mut from_page = Client::connect_with(&node.ws("/chat"), &[("origin", "https://app.example")]).await;
    node.reload("").await;
    assert_eq!(node.upgrade("/chat", &PAGE).await.status, 403);
    from_page.text("still here").await;
    from_page.expect("still here").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_and_namespaces_change() {
    let [old, new] = ["an-old-secret-of-the-tests-0123456789", "a-new-secret-of-the-tests-0123456789"];
    let toml = |secret: &str, publish: &str| {
        format!(
            "[auth]\nhmac_secrets = [\"{secret}\"]\n\
             [[namespace]]\nname = \"news\"\nsubscribe = \"token\"\npublish = \"{publish}\"\n"
        )
    };
    let node = node(&toml(old, "token")).await;
    let claims = json!({"sub": "me", "exp": in_seconds(3600)});
    let bearers = [old, new].map(|secret| bearer(&claims, secret));
    let [by_old, by_new] = bearers.each_ref().map(|bearer| [("authorization", bearer.as_str())]);
    let mut client = Client::connect_with(&node.ws("/news:1"), &by_old).await;
    assert_eq!(node.upgrade("/news:1", &by_new).await.status, 401);
    node.reload(&toml(new, "token")).await;
    assert_eq!(node.upgrade("/news:1", &by_old).await.status, 401);
    let mut other = Client::connect_with(&node.ws("/news:1"), &by_new).await;
    client.text("hello").await;
    other.expect("hello").await;
    client.expect("hello").await;

    node.reload(&toml(new, "server")).await;
    says(&node, "changed", "namespace \"news\": publish").await;
    other.text("not any more").await;
    assert_eq!(other.closed().await.0, 1008);
    assert!(!node.log().contains("secret-of-the-tests"), "{}", node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_change_without_disconnects() {
    let node = node("").await;
    let [mut first, mut second] = [node.connect("/chat").await, node.connect("/chat").await];
    node.reload("limits.connections = 1\nlimits.frames_per_second = 1").await;
    node.upgrade("/chat", &[]).await.is(503, "limits.connections");
    for number in 0..10 {
        first.text(&number.to_string()).await;
    }
    for number in 0..10 {
        second.expect(&number.to_string()).await;
    }
    node.reload("limits.connections = 3\nlimits.frames_per_second = 1").await;
    let mut third = node.raw().await;
    assert_eq!(third.upgrade("/chat", &[]).await.status, 101);
    third.send(&PONG.repeat(100)).await;
    assert_eq!(third.next_frame().await.payload.get(..2), Some(&1008_u16.to_be_bytes()[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_level_and_rate_change() {
    let node = node("").await;
    let visit = async || {
        let mut raw = node.raw().await;
        raw.send(b"no HTTP\r\n\r\n").await;
        // The log line comes before the end of the connection.
        raw.end().await;
    };
    visit().await;
    assert!(!node.log().contains("\"DEBUG\""), "{}", node.log());
    node.reload("log.level = \"debug\"").await;
    says(&node, "changed", "log.level").await;
    visit().await;
    node.logs("\"DEBUG\"").await;
    node.reload("log.level = \"debug\"\nlog.lines_per_second = 1").await;
    let suppressed = async || node.metric("fanfare_log_lines_suppressed_total").await;
    assert_eventually!(
        {
            visit().await;
            suppressed().await > 0.0
        },
        "more than one line a second: {}",
        node.log()
    );
    let before = said(&node).len();
    node.reload("log.level = \"error\"").await;
    assert_eventually!(said(&node).len() > before, "the change itself is still logged: {}", node.log());
    let debug = || node.log().matches("\"DEBUG\"").count();
    let before = debug();
    visit().await;
    node.reload("broken").await;
    says(&node, "level", "ERROR").await;
    assert_eq!(debug(), before, "{}", node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_mistakes_changes_nothing() {
    let good = format!("api.keys = [\"{KEY}\"]\n");
    let node = node(&good).await;
    let is_good = "fanfare_config_last_reload_successful";
    assert_eq!(node.metric(is_good).await, 1.0);
    let since = node.metric("fanfare_config_last_reload_success_timestamp_seconds").await;
    assert!(since > 0.0);

    node.reload("api.keys = [\"short-secret\"]\n[origins]\nallow = [\"https://app.example\"]\n[limit]\n")
        .await;
    assert_eventually!(said(&node).len() >= 3, "the mistakes are logged: {}", node.log());
    let places: Vec<_> = said(&node)
        .iter()
        .filter_map(|line| {
            let line_of = line.get("place")?.as_str()?.rsplit_once(':')?.1.to_owned();
            Some(format!("{line_of} {}", line.get("key")?.as_str()?))
        })
        .collect();
    assert_eq!(places, ["1 api.keys", "4 limit"]);
    assert!(!node.log().contains("short-secret"), "{}", node.log());
    assert_eq!(publish(&node, KEY, "x").await, 200);
    assert_eq!(node.upgrade("/chat", &PAGE).await.status, 403);
    assert_eq!(node.metric(is_good).await, 0.0);
    assert_eq!(node.metric("fanfare_config_reloads_total{result=\"failure\"}").await, 1.0);
    assert_eq!(node.metric("fanfare_config_last_reload_success_timestamp_seconds").await, since);

    node.reload(&good).await;
    assert_eq!(node.metric(is_good).await, 1.0);
    assert!(node.metric("fanfare_config_last_reload_success_timestamp_seconds").await > since);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_need_a_restart_are_named() {
    let node = node("").await;
    let toml = "broker = \"redis://127.0.0.1:1\"\n[limits]\nmessage_bytes = \"1MiB\"\nconnections = 5\n";
    node.reload(toml).await;
    says(&node, "keys", "broker, limits.message_bytes").await;
    says(&node, "level", "WARN").await;
    assert!(node.log().contains("\"changed\":\"limits.connections\""), "{}", node.log());
    assert_eq!(node.get("/readyz").await.status, 200);
    let mut client = node.connect("/chat").await;
    client.send(Message::text("x".repeat(100_000))).await;
    assert_eq!(client.closed().await.0, 1009);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flag_still_overrides_the_file() {
    let node = node("").await;
    let address = node.address();
    node.reload("listen = [\"127.0.0.1:1\"]\nnode.name = \"other\"").await;
    says(&node, "message", "configuration reloaded: nothing has changed").await;
    assert_eq!(node.address(), address);
    assert_eq!(node.nodes().await, [("test".to_owned(), 0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_uses_the_reloaded_values() {
    let mut node = node("drain.grace = \"20m\"\ndrain.timeout = \"40m\"").await;
    let client = node.connect("/chat").await;
    node.reload("drain.grace = \"0s\"\ndrain.rate = 1000000").await;
    node.terminate();
    node.hang_up();
    assert_eq!(client.closed().await.0, 1012);
    assert_eq!(node.wait().await.code(), Some(0));
}
