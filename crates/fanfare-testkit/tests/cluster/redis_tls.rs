//! TLS and ACL users of Redis: a real redis-server, with valid and invalid certificates.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
};

use fanfare_testkit::{Authority, Issued, Message, Process, RedisServer, Setup, Validity};

const PASSWORD: &str = "pl4nted-password-of-the-user";

/// A redis-server with a port for TLS.
struct Secure {
    server: RedisServer,
    port: u16,
    authority: Authority,
}

impl Secure {
    /// A server with this certificate, which asks clients for one of `authority` or for none.
    async fn start(authority: Authority, issued: &Issued, asks: bool) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let (text, ca) = (port.to_string(), authority.ca().display().to_string());
        let [cert, key] = [&issued.cert, &issued.key].map(|path| path.display().to_string());
        let asks = if asks { "yes" } else { "no" };
        let arguments = [
            ("--tls-port", text.as_str()),
            ("--tls-cert-file", &cert),
            ("--tls-key-file", &key),
            ("--tls-ca-cert-file", &ca),
            ("--tls-auth-clients", asks),
        ];
        let arguments: Vec<_> = arguments.into_iter().flat_map(|(name, value)| [name, value]).collect();
        let server = RedisServer::start_with(&arguments).await.unwrap();
        Self { server, port, authority }
    }

    fn url(&self, login: &str) -> String {
        format!("rediss://{login}localhost:{}", self.port)
    }

    fn ca(&self) -> String {
        format!("[redis]\nca = \"{}\"\n", self.authority.ca().display())
    }

    /// Creates the user of docs/redis.md.
    async fn permit(&self) {
        let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/redis.md")).unwrap();
        let (_, begun) = docs.split_once("ACL SETUSER").unwrap();
        let rule = begun.split_once("```").unwrap().0.replace("PASSWORD", PASSWORD);
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER");
        command.arg(rule.split_whitespace().collect::<Vec<_>>());
        self.server.run::<()>(&command).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_reach_redis_by_tls() {
    let authority = Authority::new();
    let issued = authority.issue("redis", &["localhost"], Validity::Current);
    let mut redis = Secure::start(authority, &issued, false).await;
    redis.permit().await;
    let setup = Setup::redis(&redis.url(&format!("fanfare:{PASSWORD}@"))).toml(&redis.ca());
    let setup = setup.toml("[limits]\nmessage_bytes = \"8MiB\"\n");
    let (a, b) = (setup.clone().named("a").start().await, setup.named("b").start().await);
    let (mut one, mut other) = (a.connect("/chat").await, b.connect("/chat").await);
    // More than TLS or the socket take at once, and then the least.
    for size in [5 << 20, 1] {
        let message = Message::text("x".repeat(size));
        one.send(message.clone()).await;
        assert!(one.next().await == message && other.next().await == message, "{size} bytes");
    }
    a.sees(&[("a", 1), ("b", 1)]).await;
    redis.server.kill().await.unwrap();
    a.is_unready().await;
    redis.server.restart().await.unwrap();
    redis.permit().await;
    a.is_ready().await;
    b.is_ready().await;
    one.text("back").await;
    one.expect("back").await;
    other.expect("back").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_can_ask_for_a_certificate() {
    let authority = Authority::new();
    let issued = authority.issue("redis", &["127.0.0.1", "localhost"], Validity::Current);
    let shown = authority.issue("node", &["node"], Validity::Current);
    let redis = Secure::start(authority, &issued, true).await;
    let toml = format!("{}{}", redis.ca(), shown.toml("client_cert", "client_key"));
    let setup = Setup::redis(&redis.url("")).toml(&toml);
    let (a, b) = (setup.clone().named("a").start().await, setup.named("b").start().await);
    let mut client = a.connect("/chat").await;
    client.text("hello").await;
    client.expect("hello").await;
    b.sees(&[("a", 1), ("b", 0)]).await;
    says(&redis.url(""), &redis.ca(), "wants one").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_store_is_trusted_by_default() {
    let authority = Authority::new();
    let issued = authority.issue("redis", &["localhost"], Validity::Current);
    let redis = Secure::start(authority, &issued, false).await;
    let store = redis.authority.ca().display().to_string();
    let environment = [("SSL_CERT_FILE", store.as_str()), ("SSL_CERT_DIR", "/nowhere")];
    let url = redis.url("");
    let node = async |name| Process::start_with(name, &url, &environment).await;
    let (a, _b) = (node("a").await, node("b").await);
    a.sees(&[("a", 0), ("b", 0)]).await;
}

/// Checks that a node with this broker is not ready, and logs this without the password.
async fn says(url: &str, toml: &str, what: &str) {
    let node = Process::serve(&["--listen", "127.0.0.1:0", "--broker", url], toml).await;
    node.logs(what).await;
    assert_eq!(node.get("/readyz").await.status, 503, "{what}");
    assert!(!node.log().contains(PASSWORD), "{}", node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_tls_are_logged() {
    let login = format!("fanfare:{PASSWORD}@");
    for (hosts, is, what) in [
        (["localhost"], Validity::Expired, "its certificate has expired"),
        (["other.example"], Validity::Current, "its certificate is for other.example, not for the host"),
    ] {
        let authority = Authority::new();
        let issued = authority.issue("redis", &hosts, is);
        let redis = Secure::start(authority, &issued, false).await;
        says(&redis.url(&login), &redis.ca(), what).await;
    }
    let (authority, issued) = Authority::self_signed(&["localhost"]);
    let redis = Secure::start(authority, &issued, false).await;
    says(&redis.url(&login), &redis.ca(), "-addext basicConstraints=critical,CA:FALSE").await;
    let authority = Authority::new();
    let issued = authority.issue("redis", &["localhost"], Validity::Current);
    let redis = Secure::start(authority, &issued, false).await;
    let strange = Authority::new();
    let stranger = format!("[redis]\nca = \"{}\"\n", strange.ca().display());
    says(&redis.url(&login), &stranger, "does not trust: name that in redis.ca").await;
    let plain = format!("rediss://{login}localhost:{}", redis.server.port());
    says(&plain, &redis.ca(), "it is frozen, or this is a port without TLS").await;
    let to_tls = format!("redis://{login}localhost:{}", redis.port);
    says(&to_tls, "", "no connection to Redis").await;
    redis.permit().await;
    let wrong = redis.url("fanfare:pl4nted-wrong-password@");
    says(&wrong, &redis.ca(), "the configuration of Redis is wrong: it answers WRONGPASS to HELLO").await;
}
