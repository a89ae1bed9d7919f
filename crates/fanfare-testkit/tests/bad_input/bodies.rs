//! An answer before the end of its request's body reaches the client, also if the body is large.

use fanfare_testkit::{
    Answer, Endpoint, KEY, Process, RawClient, Setup, TestNode, assert_eventually, metrics::http_error,
};

/// More than sockets hold: a client that sends it all first gets an answer only if the server reads it.
const LARGE: usize = 5_000_000;

const KEYED: (&str, &str) = ("X-API-Key", KEY);

/// Sends all of it before it reads. Returns the answer, the connection's last: the connection then ends without a reset.
async fn answered(to: &Endpoint, request: &[u8]) -> Answer {
    let mut client = to.raw().await;
    client.send(request).await;
    let answer = client.answer().await;
    assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    let behind = client.good_end().await.expect("an end, and no reset");
    assert!(behind.is_empty(), "bytes came after the last answer");
    answer
}

fn request(line: &str, headers: &[(&str, &str)], body: usize) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("{line} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {body}\r\n\r\n");
    [head.as_bytes(), &vec![b'x'; body]].concat()
}

/// Listener, method and path, headers, status.
type Case<'a> = (&'a Endpoint, &'a str, &'a [(&'a str, &'a str)], u16);

#[tokio::test]
async fn a_refusal_reaches_a_client_that_still_sends() {
    let own = "api.listen = [\"127.0.0.1:0\"]\nmetrics.listen = [\"127.0.0.1:0\"]";
    let node: TestNode = Setup::memory().toml(own).start().await;
    let [api, metrics] =
        [&node.addresses().api, &node.addresses().metrics].map(|addresses| Endpoint::new(addresses[0]));
    let foreign = ("Origin", "https://evil.example");
    let many = vec![("X-Another", "header"); 70];
    let table: [Case<'_>; 10] = [
        (&api, "POST /api/publish", &[], 401),
        (&api, "POST /api/publish", &[KEYED], 413),
        (&api, "POST /api/publish", &[KEYED, foreign], 403),
        (&api, "PUT /api/publish", &[KEYED], 405),
        (&api, "POST /api/nothing", &[KEYED], 404),
        (&api, "POST /api/publish", &many, 431),
        (&api, "POST /api/publish", &[("Host", "again")], 400),
        (&node, "POST /api/publish", &[KEYED], 404),
        (&metrics, "POST /metrics", &[], 405),
        (&metrics, "POST /healthz", &[], 405),
    ];
    for (listener, line, headers, status) in table {
        let answer = answered(listener, &request(line, headers, LARGE)).await;
        assert_eq!(answer.status, status, "{line} {headers:?}: {}", answer.text());
    }
    // A request without a body is answered too.
    assert_eq!(answered(&metrics, &request("GET /metrics", &[], LARGE)).await.status, 200);
}

#[tokio::test]
async fn errors_of_http_reach_a_sending_client() {
    let node = Setup::memory().toml("limits.header_bytes = \"128KiB\"").start().await;
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(70 << 10));
    let large = format!("GET / HTTP/1.1\r\nX-Large: {}", "x".repeat(200 << 10));
    for (status, begin) in [(400, "GET / HTTP/9.9\r\n"), (414, long.as_str()), (431, large.as_str())] {
        let bytes = [begin.as_bytes(), b"Host: x\r\n\r\n", &vec![b'x'; LARGE]].concat();
        assert_eq!(answered(&node, &bytes).await.status, status);
    }
}

#[tokio::test]
async fn a_small_body_keeps_its_connection() {
    let node = Setup::memory().start().await;
    let mut client = node.raw().await;
    for _ in 0..3 {
        let answer = client.request("POST", "/api/publish", &[], b"{}").await;
        assert_eq!((answer.status, answer.header("connection")), (401, None));
    }
    let chunked =
        b"POST /api/publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    client.send(chunked).await;
    assert_eq!(client.answer().await.status, 401);
    client.request("GET", "/healthz", &[], b"").await.is(200, "ok");
}

#[tokio::test]
async fn expect_continue_is_refused_without_the_body() {
    let node = Setup::memory().start().await;
    let head = |key: &str| {
        format!(
            "POST /api/publish HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nExpect: 100-continue\r\n\
             Content-Length: 28\r\n\r\n"
        )
    };
    let mut refused = node.raw().await;
    refused.send(head("wrong-key-0123456789").as_bytes()).await;
    let answer = refused.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    let mut welcome = node.raw().await;
    welcome.send(head(KEY).as_bytes()).await;
    assert_eq!(welcome.answer().await.status, 100);
    welcome.send(br#"{"channel":"chat","data":{}}"#).await;
    assert_eq!(welcome.answer().await.status, 200);
}

/// The node reads a bounded part of the body: then the client's own socket reports the end.
#[tokio::test]
async fn an_endless_body_ends_its_connection() {
    let node = Setup::memory().start().await;
    let mut client = node.raw().await;
    client.send(b"POST /api/publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let chunk = [b"100000\r\n", &vec![b'x'; 1 << 20][..], b"\r\n"].concat();
    let mut sent = 0;
    while client.try_send(&chunk).await.is_ok() {
        sent += 1;
        assert!(sent < 200, "{sent} MiB were taken");
    }
    assert_eq!(node.get("/healthz").await.status, 200);
}

/// A node that drains, and stays as long as these clients do.
async fn leaving(grace: &str) -> (Process, Vec<RawClient>) {
    let flags = ["--listen", "127.0.0.1:0", "--node", "leaving"];
    let slow = "[drain]\nrate = 1\ntimeout = \"60m\"";
    let node = Process::serve_with(&flags, slow, &[("FANFARE_DRAIN__GRACE", grace)]).await;
    node.is_ready().await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = node.raw().await;
        client.upgrade("/chat", &[]).await.is(101, "");
        clients.push(client);
    }
    (node, clients)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_node_still_answers() {
    let (node, _clients) = leaving("50m").await;
    let mut kept = node.raw().await;
    kept.request("GET", "/healthz", &[], b"").await.is(200, "ok");
    node.terminate();
    node.is_unready().await;
    assert_eq!(answered(&node, &request("POST /api/publish", &[], LARGE)).await.status, 401);
    // The last answer on a kept connection announces its end.
    let last = kept.request("GET", "/healthz", &[], b"").await;
    assert_eq!(
        (last.status, last.header("connection"), last.header("keep-alive")),
        (200, Some("close"), None)
    );
    assert!(kept.good_end().await.expect("an end, and no reset").is_empty());

    let (node, _clients) = leaving("0s").await;
    node.terminate();
    assert_eventually!(node.upgrade("/chat", &[]).await.status == 503, "new clients are refused");
    let answer = answered(&node, &request("POST /api/publish", &[KEYED], LARGE)).await;
    answer.is(503, "going away");
}

/// Asks for far more than sockets hold, and never reads.
async fn deaf(node: &Endpoint) -> RawClient {
    let mut client = node.raw().await;
    client.send("GET /assets/page.js HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2000).as_bytes()).await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_no_answers_is_closed() {
    let node = Setup::memory().start().await;
    let _deaf = deaf(&node).await;
    assert_eventually!(node.metric(&http_error("stalled")).await == 1.0, "the stalled answer is counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_client_does_not_delay_the_end() {
    let toml = "[drain]\ntimeout = \"60m\"\n[limits]\nkeep_alive = \"60m\"";
    let mut node = Process::serve(&["--listen", "127.0.0.1:0", "--node", "leaving"], toml).await;
    node.is_ready().await;
    let (_deaf, mut kept) = (deaf(&node).await, node.raw().await);
    kept.request("GET", "/healthz", &[], b"").await.is(200, "ok");
    node.terminate();
    assert_eq!(node.wait().await.code(), Some(0));
    assert!(kept.good_end().await.expect("an end, and no reset").is_empty());
}
