//! No secret is ever shown: not in a log of any level, a metric, an answer, a close reason, or an error.

use fanfare_testkit::{
    Client, KEY, Message, Process, RedisServer, assert_eventually,
    token::{in_seconds, token},
};
use fanfare_websocket::{FrameHead, Opcode};
use serde_json::{Value, json};

use crate::planted::Planted;

const SECRET: &str = "pl4nted-hmac-secret-of-the-node-0123456789";
const OLD_SECRET: &str = "pl4nted-hmac-secret-of-yesterday-9876543210";
const FILE_KEY: &str = "pl4nted-api-key-in-the-file-0123456789";
const WRONG_KEY: &str = "pl4nted-api-key-that-is-wrong-0123456789";
const PASSWORD: &str = "pl4nted/redis@pass word";
const PASSWORD_IN_URL: &str = "pl4nted%2Fredis%40pass%20word";
const TRACING_KEY: &str = "pl4nted-key-of-the-collector";
const WRONG_PASSWORD: &str = "pl4nted-wrong-password";
const PAYLOAD: &str = "pl4nted-payload";

fn toml() -> String {
    format!(
        r#"
        log.level = "trace"
        log.lines_per_second = 0
        browser_errors = true
        limits.message_bytes = "1KiB"
        [api]
        keys = ["{FILE_KEY}"]
        [auth]
        hmac_secrets = ["{SECRET}", "{OLD_SECRET}"]
        leeway = "0s"
        [tracing]
        endpoint = "http://127.0.0.1:1"
        headers = ["x-key={TRACING_KEY}"]
        [[namespace]]
        name = "private"
        subscribe = "token"
        publish = "token"
        [[namespace]]
        name = "read"
        publish = "server"
        "#
    )
}

async fn node(redis: &RedisServer, password: &str) -> Process {
    let url = format!("redis://:{password}@127.0.0.1:{}", redis.port());
    Process::serve(&["--listen", "127.0.0.1:0", "--node", "test", "--broker", &url], &toml()).await
}

/// A token of each kind.
fn tokens() -> Vec<String> {
    let claims = |number: u8| json!({"sub": format!("me-{number}"), "note": "pl4nted-claim"});
    let with = |number, name: &str, value: Value| {
        let mut claims = claims(number);
        claims[name] = value;
        claims
    };
    vec![
        token(&claims(1), SECRET),
        token(&claims(2), OLD_SECRET),
        token(&with(3, "exp", in_seconds(-100).into()), SECRET),
        token(&with(4, "nbf", in_seconds(100).into()), SECRET),
        token(&with(5, "channels", json!(["pl4nted-channel"])), SECRET),
        token(&with(6, "sub", json!(["pl4nted-subject"])), SECRET),
        token(&with(7, "aud", json!("pl4nted-audience")), SECRET),
        token(&claims(8), "pl4nted-secret-of-somebody-else-0123456789"),
        token(&with(9, "note", "pl4nted".repeat(2000).into()), SECRET),
        "pl4nted-no-token-at-all".into(),
        "pl4nted.with.dots".into(),
        "pl4nted\u{e4}with-a-byte-that-no-token-has".into(),
    ]
}

/// The ways to send a token: a query and headers.
fn ways(token: &str) -> [(String, Vec<(&'static str, String)>); 6] {
    let header = |name, value: String| (String::new(), vec![(name, value)]);
    [
        header("Authorization", format!("Bearer {token}")),
        header("Cookie", format!("fanfare_token={token}")),
        header("Sec-WebSocket-Protocol", format!("fanfare, token.{token}")),
        header("Sec-WebSocket-Protocol", format!("token.{token}")),
        (format!("?token={token}"), Vec::new()),
        // In two places, with two values.
        (format!("?token={token}x"), vec![("Authorization", format!("Bearer {token}"))]),
    ]
}

async fn show_tokens(node: &Process, planted: &mut Planted) {
    for token in tokens() {
        planted.secret_token(&token);
        for (query, headers) in ways(&token) {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            // HTTP itself refuses a line that is too long, or has a forbidden byte.
            for path in ["/ws/private:1", "/ws/free", "/api/publish", "/api/nothing", "/nothing", "/metrics"]
            {
                let mut client = node.raw().await;
                planted.saw_answer(path, &client.upgrade(&format!("{path}{query}"), &headers).await);
            }
        }
    }
}

/// A browser gets the fault of its token in a close frame.
async fn tell_browsers(node: &Process, planted: &mut Planted) {
    let origin = node.url();
    let mut told = 0;
    for token in tokens() {
        planted.secret_token(&token);
        for (query, headers) in ways(&token) {
            let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
            let headers: Vec<_> = headers.chain([("Origin", origin.as_str())]).collect();
            let mut client = node.raw().await;
            let answer = client.upgrade(&format!("/ws/private:1{query}"), &headers).await;
            planted.saw_answer("/ws/private:1", &answer);
            if answer.status == 101 {
                client.frame(FrameHead::whole(Opcode::Close), &1000_u16.to_be_bytes()).await;
                let said = String::from_utf8_lossy(&client.end().await).into_owned();
                planted.saw("a close frame", &said);
                told += usize::from(said.contains("the token"));
            }
        }
    }
    assert!(told > 10, "only {told} closes name the fault of their token");
}

async fn call_the_api(node: &Process, planted: &mut Planted) {
    let bodies = [
        json!({"channel": "free", "data": PAYLOAD}).to_string(),
        json!({"channel": "free", "data": PAYLOAD.repeat(1000)}).to_string(),
        json!({"channel": "free", "dat": PAYLOAD}).to_string(),
        json!({"channel": "free", "b64data": PAYLOAD}).to_string(),
        json!({"channel": "free", "data": PAYLOAD, "b64data": PAYLOAD}).to_string(),
        format!("{{\"channel\": \"free\", \"data\": \"{PAYLOAD}"),
        PAYLOAD.to_owned(),
    ];
    for body in bodies {
        for key in [KEY, FILE_KEY, WRONG_KEY, "pl4nted-short"] {
            let bearer = format!("apikey {key}");
            for header in [("X-API-Key", key), ("Authorization", bearer.as_str())] {
                let answer = node.request("POST", "/api/publish", &[header], &body).await;
                planted.saw_answer("/api/publish", &answer);
            }
        }
    }
}

async fn talk(node: &Process, planted: &mut Planted) {
    let claims = json!({"sub": "me", "exp": in_seconds(2), "note": "pl4nted-claim"});
    let token = token(&claims, SECRET);
    planted.secret_token(&token);
    let bearer = format!("Bearer {token}");
    let mut ends = node.connect("/ws/free").await;
    ends.text(PAYLOAD).await;
    ends.expect(PAYLOAD).await;
    let expires = Client::connect_with(&node.ws("/ws/private:1"), &[("authorization", &bearer)]).await;
    let mut reader = node.connect("/ws/read:1").await;
    reader.text(PAYLOAD).await;
    let mut talks_much = node.connect("/ws/free").await;
    talks_much.send(Message::text(PAYLOAD.repeat(1000))).await;
    for (client, code) in [(expires, 4001), (reader, 1008), (talks_much, 1009)] {
        let closed = client.closed().await;
        assert_eq!(closed.0, code);
        planted.saw("a close reason", &closed.1);
    }
    let said = ends.close(1000, "pl4nted-reason-of-a-client").await;
    planted.saw("the answer to a goodbye", &format!("{said:?}"));
}

/// Sends secrets of an application, which are not tokens of Fanfare and not for a log.
async fn send_along(node: &Process, planted: &mut Planted) {
    let close = [&1000_u16.to_be_bytes()[..], b"pl4nted-reason"].concat();
    let along = [
        ("?password=pl4nted-in-a-query", ("Accept", "*/*")),
        ("", ("Cookie", "sid=pl4nted-in-a-cookie; theme=pl4nted")),
        ("", ("Authorization", "Basic cGw0bnRlZDpwbDRudGVk")),
        ("", ("Referer", "https://example.com/?pl4nted")),
        ("", ("User-Agent", "pl4nted")),
    ];
    for (query, header) in along {
        let mut client = node.raw().await;
        let answer = client.upgrade(&format!("/ws/free{query}"), &[header]).await;
        planted.saw_answer("/ws/free", &answer);
        if answer.status == 101 {
            client.frame(FrameHead::whole(Opcode::Ping), b"pl4nted-ping").await;
            client.frame(FrameHead::whole(Opcode::Text), PAYLOAD.as_bytes()).await;
            client.frame(FrameHead::whole(Opcode::Binary), PAYLOAD.as_bytes()).await;
            client.frame(FrameHead::whole(Opcode::Close), &close).await;
            client.end().await;
        }
        let body = json!({"channel": "free", "data": PAYLOAD}).to_string();
        let path = format!("/api/publish{query}");
        planted.saw_answer(&path, &node.request("POST", &path, &[header, ("X-API-Key", KEY)], &body).await);
    }
    // The close names the broken rule, not the bytes that broke it.
    let mut rude = node.raw().await;
    rude.upgrade("/ws/free", &[]).await.is(101, "");
    rude.frame(FrameHead::whole(Opcode::Continuation), b"pl4nted").await;
    planted.saw("a close reason", &String::from_utf8_lossy(&rude.end().await));
    node.logs("no message was in progress").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_node_shows_no_secret() {
    let redis = RedisServer::start_with(&["--requirepass", PASSWORD]).await.unwrap();
    let mut planted = Planted::new(&[KEY, "pl4nted", PASSWORD, PASSWORD_IN_URL]);
    let mut node = node(&redis, PASSWORD_IN_URL).await;
    node.is_ready().await;
    show_tokens(&node, &mut planted).await;
    tell_browsers(&node, &mut planted).await;
    call_the_api(&node, &mut planted).await;
    talk(&node, &mut planted).await;
    send_along(&node, &mut planted).await;
    for path in ["/", "/readyz", "/healthz", "/metrics", "/api/cluster", "/assets/page.js"] {
        planted.saw_answer(path, &node.get(path).await);
    }
    let shut_out = self::node(&redis, WRONG_PASSWORD).await;
    assert_eventually!(shut_out.log().contains("WRONGPASS"), "the node logs the reason: {}", shut_out.log());
    planted.saw_answer("/readyz", &shut_out.get("/readyz").await);
    planted.saw_answer("/api/publish", &shut_out.post(&json!({"channel": "a", "data": PAYLOAD})).await);
    planted.saw_answer("/metrics", &shut_out.get("/metrics").await);
    planted.saw("the log of a node with a wrong password", &shut_out.log());
    node.terminate();
    node.wait().await;
    let log = node.log();
    assert!(log.contains("\"DEBUG\"") && log.contains("connection ended"), "the log has all levels: {log}");
    planted.saw("the log", &log);
}

/// Configurations with a secret in them, and a mistake.
const BROKEN: &[&str] = &[
    "api.keys = [\"pl4nted\"]",
    "api.keys = \"pl4nted-0123456789-0123456789\"",
    "api.keys = [\"pl4nted-0123456789 and a space\"]",
    "api.keys = [[\"pl4nted-0123456789-0123456789\"]]",
    "api.keys = {a = \"pl4nted-0123456789-0123456789\"}",
    "api.keys = [\"pl4nted-0123456789-0123456789\"",
    "api.keys = [\"pl4nted-0123456789-0123456789]",
    "api.keys = pl4nted-0123456789-0123456789",
    "api.keys = ['pl4nted-0123456789-0123456789' \"pl4nted-0123456789-0123456789\"]",
    "api.keys = [\"pl4nted-\\q-0123456789-0123456789\"]",
    "api.key = \"pl4nted-0123456789-0123456789\"",
    "api.keys = [\"pl4nted-0123456789-0123456789\"]\napi.keys = [\"pl4nted-0123456789-0123456789\"]",
    "api_keys = [\"pl4nted-0123456789-0123456789\"]",
    "auth.hmac_secrets = [\"pl4nted\"]",
    "auth.hmac_secrets = \"pl4nted-0123456789-0123456789-0123456789\"",
    "auth.hmac_secrets = [\"pl4nted-0123456789-0123456789-0123456789\"]\nauth.hmac_algorithm = \"HS512\"",
    "auth.hmac_secret = \"pl4nted-0123456789-0123456789-0123456789\"",
    "auth.public_keys = [\"-----BEGIN PRIVATE KEY-----\\npl4nted\\n-----END PRIVATE KEY-----\"]",
    "broker = \"redis://:pl4nted@host:port\"",
    "broker = \"redis://me:pl4nted@\"",
    "broker = \"redis:/me:pl4nted@host\"",
    "broker = \"redist://me:pl4nted@host\"",
    "broker = \"redis://me:pl4nted@host/x\"",
    "broker = \"redis://me:pl4nted@host?db=1\"",
    "broker = \"me:pl4nted@host\"",
    "broker = \":pl4nted@host\"",
    "broker = [\"redis://:pl4nted@host:1x\"]",
    "broker = [\"redis://a\", \"redis://:pl4nted@host\", \"redis://:pl4nted@host\"]",
    "broker = {url = \"redis://:pl4nted@host\"}",
    "broker = redis://:pl4nted@host",
    "redis.password = \"pl4nted\"",
    "tracing.endpoint = \"http://me:pl4nted@host:4317\"",
    "tracing.endpoint = \"me:pl4nted@host:4317\"",
    "tracing.endpoint = \"https://me:pl4nted@host:4317\"",
    "tracing.endpoint = \"http://host:4317?key=pl4nted\"",
    "tracing.headers = \"x-key=pl4nted\"",
    "tracing.headers = [\"pl4nted\"]",
    "tracing.headers = [\"x key=pl4nted\"]",
    "tracing.headers = [\"x-key=pl4nted\\na\"]",
    "tracing.header = [\"x-key=pl4nted\"]",
    "redis.url = \"redis://:pl4nted@host\"",
    "borker = \"redis://:pl4nted@host\"",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_shown_without_secrets() {
    let planted = Planted::new(&["pl4nted"]);
    for toml in BROKEN {
        for command in ["check", "config", "serve"] {
            let ended = Process::once(&[command], toml, &[]).await;
            planted.saw_failure(toml, &ended);
        }
    }
    let environment = [
        ("FANFARE_API__KEYS", "pl4nted"),
        ("FANFARE_API__KEYS", "pl4nted-0123456789-0123456789,,pl4nted"),
        ("FANFARE_API__KEY", "pl4nted-0123456789-0123456789"),
        ("FANFARE_API_KEYS", "pl4nted-0123456789-0123456789"),
        ("FANFARE_AUTH__HMAC_SECRETS", "pl4nted"),
        ("FANFARE_AUTH__SECRET", "pl4nted"),
        ("FANFARE_BROKER", "redis://:pl4nted@host:port"),
        ("FANFARE_BROKER", "pl4nted@host"),
        ("FANFARE_REDIS__PASSWORD", "pl4nted"),
    ];
    for (name, value) in environment {
        planted.saw_failure(name, &Process::once(&["check"], "", &[(name, value)]).await);
    }
    for broker in ["redis://:pl4nted@host:port", "redis:/:pl4nted@host", "redis://pl4nted@", ":pl4nted@host"]
    {
        planted.saw_failure(broker, &Process::once(&["check", "--broker", broker], "", &[]).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_valid_configuration_is_shown_without_secrets() {
    let planted = Planted::new(&["pl4nted"]);
    let toml = format!("broker = \"redis://me:{PASSWORD_IN_URL}@127.0.0.1:1\"\n{}", toml());
    for words in [&["check"][..], &["config"], &["config", "--explain"]] {
        let ended = Process::once(words, &toml, &[]).await;
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        planted.saw("standard output", &String::from_utf8_lossy(&ended.stdout));
        planted.saw("standard error", &String::from_utf8_lossy(&ended.stderr));
    }
}
