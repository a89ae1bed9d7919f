//! Every refusal is a proper status and a sentence, over a real socket, and costs nobody else anything.

use fanfare_testkit::{Client, Setup, TestNode};

/// A node, and a client that is connected before anything bad happens.
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
async fn every_refusal_has_its_status_and_a_sentence() {
    let (node, witness) = node_and_witness().await;
    let long = format!("/ws/{}", "x".repeat(256));
    let table: [Case<'_>; 15] = [
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
        ("/admin", &[], 404, "/admin is kept by the server"),
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
async fn a_handshake_is_a_get_of_http_1_1() {
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
async fn several_requests_on_one_connection_are_answered_each() {
    let (node, witness) = node_and_witness().await;
    let mut client = node.raw().await;
    client.upgrade("/chat", &[("Sec-WebSocket-Version", "12")]).await.is(426, "13");
    client.request("GET", "/healthz", &[], &[]).await.is(200, "ok");
    assert_eq!(client.upgrade("/chat", &[]).await.status, 101);
    is_well(witness).await;
}

#[tokio::test]
async fn bytes_right_behind_the_request_are_not_lost() {
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
    // Without a body there is nothing to wait for: the 101 is the only answer.
    let mut client = node.raw().await;
    let asks = [("Content-Length", "0"), ("Expect", "100-continue")];
    assert_eq!(client.upgrade("/witness", &asks).await.status, 101);
    client.frame(head, b"proper").await;
    witness.expect("proper").await;
    assert_eq!(client.next_frame().await.payload, b"proper");
    is_well(witness).await;
}
