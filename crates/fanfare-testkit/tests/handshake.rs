//! Every refusal is a proper status and a sentence, over a real socket, and costs nobody else anything.

use fanfare_testkit::{Client, RawClient, Setup, TestNode};

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
async fn garbage_ends_its_own_connection_only() {
    let (node, witness) = node_and_witness().await;
    let garbage: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n\r\n\r\n\r\nhello\r\n\r\n",
        b"\x00\xff\x00\xff\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for bytes in garbage {
        let mut client = node.raw().await;
        client.send(bytes).await;
        let answer = client.end().await;
        assert!(
            answer.starts_with(b"HTTP/1.1 400") || answer.starts_with(b"HTTP/1.1 505"),
            "{bytes:?}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    is_well(witness).await;
}

#[tokio::test]
async fn frames_that_break_the_protocol_end_their_own_connection_only() {
    let (node, mut witness) = node_and_witness().await;
    let frames: [(&[u8], u16); 4] = [
        (b"\x81\x01x", 1002),
        (b"\xf1\x80\0\0\0\0", 1002),
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x83\x80\0\0\0\0", 1002),
    ];
    for (bytes, code) in frames {
        let mut client = node.raw().await;
        assert_eq!(client.upgrade("/witness", &[]).await.status, 101);
        client.send(bytes).await;
        let close = client.next_frame().await;
        assert_eq!(close.bytes[0], 0x88);
        assert_eq!(close.payload[..2], code.to_be_bytes(), "{bytes:?}");
        assert!(close.payload.len() > 10, "it says why");
        assert!(client.end().await.is_empty());
    }
    witness.text("to all").await;
    witness.expect("to all").await;
    is_well(witness).await;
}

#[tokio::test]
async fn half_a_request_and_then_silence_is_cut() {
    let (node, witness) = node_and_witness().await;
    for half in ["", "G", "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websock"] {
        let mut client: RawClient = node.raw().await;
        client.send(half.as_bytes()).await;
        let answer = client.end().await;
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    is_well(witness).await;
}

#[tokio::test]
async fn a_header_too_large_is_refused() {
    let (node, witness) = node_and_witness().await;
    let mut client = node.raw().await;
    let endless = vec![b'x'; 1 << 20];
    client.send(b"GET /chat HTTP/1.1\r\nHost: x\r\nX-Large: ").await;
    client.send(&endless).await;
    let answer = client.end().await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    let many = vec![("X-Another", "header"); 200];
    let mut client = node.raw().await;
    client.upgrade("/chat", &many).await.is(431, "");
    is_well(witness).await;
}
