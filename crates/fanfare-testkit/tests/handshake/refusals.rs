//! Every refusal of a handshake has its status and a sentence, over a real socket, and disturbs no other client.

use fanfare_testkit::{Answer, Client, Setup, TestNode};

/// A node, and a client that is connected before the refusals.
async fn node_and_witness() -> (TestNode, Client) {
    let node = Setup::memory().toml("limits.handshake = \"200ms\"").start().await;
    let witness = node.connect("/witness").await;
    (node, witness)
}

async fn is_well(mut witness: Client) {
    witness.text("still here").await;
    witness.expect("still here").await;
}

/// Path, headers, status, words.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a str);

#[tokio::test]
async fn every_refusal_has_status_and_sentence() {
    let (node, witness) = node_and_witness().await;
    let long = format!("/ws/{}", "x".repeat(256));
    let table: [Case<'_>; 19] = [
        ("/chat", &[("Sec-WebSocket-Version", "12")], 426, "Sec-WebSocket-Version: 13"),
        ("/ws/chat", &[("Sec-WebSocket-Version", "")], 426, "Sec-WebSocket-Version is missing"),
        ("/chat", &[("Sec-WebSocket-Key", "")], 400, "Sec-WebSocket-Key is missing"),
        ("/ws/chat", &[("Sec-WebSocket-Key", "c2hvcnQ=")], 400, "Sec-WebSocket-Key is wrong"),
        ("/ws/chat", &[("Connection", "keep-alive")], 400, "Connection header must contain `Upgrade`"),
        ("/ws/chat", &[("Upgrade", "")], 426, "connect with a WebSocket client"),
        ("/chat", &[("Sec-WebSocket-Protocol", "a b")], 400, "Sec-WebSocket-Protocol is malformed"),
        ("/chat", &[("Sec-WebSocket-Extensions", "=")], 400, "Sec-WebSocket-Extensions is malformed"),
        (
            "/chat",
            &[("Origin", "https://evil.example")],
            403,
            "origin https://evil.example may not use this server",
        ),
        ("/ws/chat", &[("Origin", "null")], 403, "Origin: null"),
        (
            "/chat",
            &[("Upgrade", ""), ("Connection", "")],
            426,
            "a proxy dropped the header `Upgrade: websocket`",
        ),
        ("/admin", &[], 404, "/admin is kept by the server"),
        ("/API/publish", &[], 404, "/API is kept by the server"),
        ("/live", &[], 404, "every channel is at /ws/CHANNEL"),
        ("//chat", &[], 404, "two slashes"),
        ("/a%20b", &[], 400, "visible characters only"),
        ("/ws/a%0Ab", &[], 400, "visible characters only"),
        ("/ws/%ff", &[], 400, "must be UTF-8"),
        (&long, &[], 400, "at most 255 bytes, this one has 256"),
    ];
    for (path, headers, status, words) in table {
        let answer = node.upgrade(path, headers).await;
        assert_eq!(answer.status, status, "{path} {headers:?}: {}", answer.text());
        assert!(answer.text().contains(words), "{path} {headers:?}: {}", answer.text());
        if status == 426 {
            assert_eq!(answer.header("sec-websocket-version"), Some("13"));
            assert_eq!(answer.header("upgrade"), Some("websocket"));
        }
    }
    is_well(witness).await;
}

#[tokio::test]
async fn a_handshake_needs_get_and_http_1_1() {
    let (node, witness) = node_and_witness().await;
    let headers = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for path in ["/chat", "/ws/chat"] {
        let mut client = node.raw().await;
        client.send(format!("POST {path} HTTP/1.1\r\n{headers}").as_bytes()).await;
        let answer = client.answer().await;
        answer.is(405, "send GET");
        assert_eq!(answer.header("allow"), Some("GET"));
        let mut client = node.raw().await;
        client.send(format!("GET {path} HTTP/1.0\r\n{headers}").as_bytes()).await;
        client.answer().await.is(505, "needs HTTP/1.1");
    }
    is_well(witness).await;
}

#[tokio::test]
async fn a_connection_takes_several_requests() {
    let (node, witness) = node_and_witness().await;
    let mut client = node.raw().await;
    client.upgrade("/chat", &[("Sec-WebSocket-Version", "12")]).await.is(426, "13");
    client.request("GET", "/healthz", &[], &[]).await.is(200, "ok");
    assert_eq!(client.upgrade("/chat", &[]).await.status, 101);
    is_well(witness).await;
}

#[tokio::test]
async fn bytes_after_the_request_are_kept() {
    let (node, witness) = node_and_witness().await;
    let mut client = node.raw().await;
    let mut bytes = b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    let head = fanfare_websocket::FrameHead::whole(fanfare_websocket::Opcode::Text);
    fanfare_websocket::encode::frame(&mut bytes, head, b"early", Some([1, 2, 3, 4]));
    client.send(&bytes).await;
    assert_eq!(client.answer().await.status, 101);
    assert_eq!(client.next_frame().await.payload, b"early");
    is_well(witness).await;
}

#[tokio::test]
async fn a_request_without_one_host_is_refused() {
    let (node, witness) = node_and_witness().await;
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let hosts = [
        ("", "the Host header is missing"),
        ("Host: a\r\nHost: a\r\n", "there are 2 Host headers"),
        ("Host: a, b\r\n", "is not the name or the address of a host"),
    ];
    for ((hosts, words), more) in hosts.into_iter().flat_map(|host| [(host, ""), (host, upgrade)]) {
        let mut client = node.raw().await;
        client.send(format!("GET /chat HTTP/1.1\r\n{hosts}{more}\r\n").as_bytes()).await;
        let answer = client.answer().await;
        answer.is(400, words);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.good_end().await.is_ok_and(|behind| behind.is_empty()));
    }
    let mut old = node.raw().await;
    old.send(b"GET /healthz HTTP/1.0\r\n\r\n").await;
    old.answer().await.is(200, "ok");
    is_well(witness).await;
}

#[tokio::test]
async fn an_upgrade_with_a_body_is_refused() {
    let (node, mut witness) = node_and_witness().await;
    let mut frame = Vec::new();
    let head = fanfare_websocket::FrameHead::whole(fanfare_websocket::Opcode::Text);
    fanfare_websocket::encode::frame(&mut frame, head, b"smuggled", Some([1, 2, 3, 4]));
    let length = frame.len().to_string();
    let bodies = [("Content-Length", &*length), ("Transfer-Encoding", "chunked")];
    for body in bodies {
        for expect in [("Expect", ""), ("Expect", "100-continue")] {
            let mut client = node.raw().await;
            let answer = client.upgrade("/witness", &[body, expect]).await;
            answer.is(400, "an upgrade has no body");
            client.send(&frame).await;
            assert!(client.good_end().await.is_ok_and(|behind| behind.is_empty()));
        }
    }
    // An upgrade without a body gets no 100: the 101 is the only answer.
    let mut client = node.raw().await;
    let asks = [("Content-Length", "0"), ("Expect", "100-continue")];
    assert_eq!(client.upgrade("/witness", &asks).await.status, 101);
    client.frame(head, b"proper").await;
    witness.expect("proper").await;
    assert_eq!(client.next_frame().await.payload, b"proper");
    is_well(witness).await;
}

/// A request as of a program, not of a browser.
async fn asks(node: &TestNode, method: &str, path: &str) -> Answer {
    node.request(method, path, &[("Accept", "*/*")], "").await
}

#[tokio::test]
async fn only_a_page_view_gets_the_page() {
    let (node, witness) = node_and_witness().await;
    for path in ["/", "/chat", "/rooms/1"] {
        for headers in [&[][..], &[("Accept", "text/html,*/*;q=0.8")], &[("Accept", "*/*")]] {
            let answer = node.request("GET", path, headers, "").await;
            answer.is(200, "<!doctype html>");
        }
        let mut client = node.raw().await;
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert!(client.end().await.starts_with(b"HTTP/1.1 200"), "HEAD {path}");
        for method in ["DELETE", "PUT", "PATCH", "TRACE", "OPTIONS", "PROPFIND"] {
            let answer = asks(&node, method, path).await;
            answer.is(405, "POST /api/publish");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
    for accept in ["application/json", "text/event-stream"] {
        node.request("GET", "/chat", &[("Accept", accept)], "").await.is(406, "text/html");
    }
    asks(&node, "OPTIONS", "*").await.is(405, "GET and HEAD only");
    asks(&node, "CONNECT", "example.com:443").await.is(405, "GET and HEAD only");
    for path in ["/healthz", "/readyz", "/metrics", "/assets/page.js"] {
        let answer = asks(&node, "DELETE", path).await;
        answer.is(405, "GET and HEAD only");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{path}");
    }
    is_well(witness).await;
}

#[tokio::test]
async fn a_wrong_api_path_names_the_right_one() {
    let (node, mut witness) = node_and_witness().await;
    for path in ["//api/publish", "/publish", "/API/publish", "/%61pi//Publish", "/v1/publish"] {
        node.request("POST", path, &[], r#"{"channel": "witness", "data": "lost"}"#)
            .await
            .is(404, "POST /api/publish");
    }
    node.get("//api/cluster").await.is(404, "GET /api/cluster");
    node.get("/API/Cluster").await.is(404, "GET /api/cluster");
    node.request("POST", "/chat", &[], r#"{"data": "lost"}"#).await.is(405, "POST /api/publish");
    witness.text("nothing came").await;
    witness.expect("nothing came").await;
}

#[tokio::test]
async fn a_probe_gets_health_or_404() {
    let (node, witness) = node_and_witness().await;
    for (path, check) in
        [("/health", "shards"), ("/livez", "shards"), ("/live", "shards"), ("/ready", "broker")]
    {
        node.get(path).await.is(200, check);
    }
    for path in ["/status", "/ping", "/favicon.ico", "/robots.txt", "/.well-known/x", "/Status"] {
        node.get(path).await.is(404, "health at /healthz and /readyz");
    }
    let mut live = node.connect("/ws/live").await;
    live.text("a channel all the same").await;
    live.expect("a channel all the same").await;
    is_well(witness).await;
}

const FOREIGN: (&str, &str) = ("Origin", "https://evil.example");

/// The close of a browser's client on a path.
async fn close_of(node: &TestNode, path: &str, headers: &[(&'static str, &str)]) -> (u16, String) {
    Client::connect_with(&node.ws(path), headers).await.closed().await
}

#[tokio::test]
async fn browser_errors_close_with_a_sentence() {
    const TOML: &str = "browser_errors = true\n[auth]\n\
        hmac_secrets = [\"a-secret-of-the-tests-that-is-long-enough\"]\n\
        [[namespace]]\nname = \"private\"\nsubscribe = \"token\"\n\
        [[namespace]]\nname = \"closed\"\nsubscribe = \"server\"";
    let node = Setup::memory().toml(TOML).start().await;
    let own = node.url();
    let own = ("origin", own.as_str());
    let (code, reason) = close_of(&node, "/chat", &[("origin", "https://evil.example")]).await;
    assert_eq!(code, 4403);
    assert!(reason.contains("origins.allow = [\"https://evil.example\"]"), "{reason}");
    for (path, code, words) in [
        ("/private:1", 4401, "needs a token"),
        ("/ws/private:1?token=a.b.c", 4401, "signed JWT"),
        ("/closed:1", 4403, "does not permit"),
        ("/admin", 4404, "kept by the server"),
        ("/healthz", 4404, "kept by the server"),
        ("/ws/a%20b", 4400, "visible characters only"),
    ] {
        let (found, reason) = close_of(&node, path, &[own]).await;
        assert_eq!(found, code, "{path}: {reason}");
        assert!(reason.contains(words), "{path}: {reason}");
    }
    // Not a browser, not a WebSocket, or refused for another reason than origin, token or channel.
    node.upgrade("/private:1", &[]).await.is(401, "needs a token");
    node.upgrade("/chat", &[FOREIGN, ("Sec-WebSocket-Key", "")]).await.is(400, "Sec-WebSocket-Key");
    let refused = node.metric("fanfare_handshakes_refused_total").await;
    assert_eq!(refused, 9.0, "each is counted as refused");
    let accepted = "fanfare_handshake_duration_seconds_count{result=\"accepted\"}";
    assert_eq!(node.metric(accepted).await, 0.0, "and none as accepted");
    assert_eq!(node.metric("fanfare_connections").await, 0.0);
    assert_eq!(node.metric("fanfare_connections_opened_total").await, 0.0);
}

#[tokio::test]
async fn a_refused_browser_can_do_nothing() {
    let node = Setup::memory().dev().start().await;
    let mut witness = node.connect("/chat").await;
    let mut intruder = Client::connect_with(&node.ws("/chat"), &[("origin", "https://evil.example")]).await;
    intruder.text("let me in").await;
    witness.text("nobody came").await;
    witness.expect("nobody came").await;
    let (code, reason) = intruder.closed().await;
    assert_eq!(code, 4403, "{reason}");
    let foreign = [FOREIGN, ("Host", "evil.example")];
    node.upgrade("/chat", &foreign).await.is(403, "under --dev the host must be");
}

#[tokio::test]
async fn browser_errors_are_off_by_default() {
    let node = Setup::memory().start().await;
    node.upgrade("/chat", &[FOREIGN]).await.is(403, "origins.allow = [\"https://evil.example\"]");
    assert!(Setup::memory().dev().load().is_ok_and(|config| config.browser_errors));
}
