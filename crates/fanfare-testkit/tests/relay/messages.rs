//! The plain WebSocket: each message reaches everyone in its channel, unchanged.

use bytes::Bytes;
use fanfare_testkit::{Client, Message, Setup, TestCluster, TestNode};
use fanfare_websocket::{Config, Decoder, Event, FrameHead, Opcode, Role};
use serde_json::json;

/// Waits until these clients have joined: they get a message of its own.
async fn joined(node: &TestNode, channel: &str, clients: &mut [&mut Client]) {
    node.publish(channel, "all here").await;
    for client in clients {
        client.expect("all here").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_members_get_every_kind_of_message() {
    let cluster = TestCluster::start(2).await;
    let mut here = cluster.nodes[0].connect("/ws/chat").await;
    let mut beside = cluster.nodes[0].connect("/ws/chat").await;
    let mut there = cluster.nodes[1].connect("/ws/chat").await;
    let large = "ä".repeat(32 << 10);
    let messages = [
        Message::text("hello"),
        Message::text(""),
        Message::binary(Bytes::new()),
        Message::binary(Bytes::from_static(b"\xc1\xfa\x00\xff")),
        Message::text("{\"looks\": \"like JSON\"}"),
        Message::text("r\u{e4}ksm\u{f6}rg\u{e5}s \u{1f980}\u{0}"),
        Message::text(large.as_str()),
        Message::binary(vec![0xff; 64 << 10]),
    ];
    for message in messages {
        here.send(message.clone()).await;
        for client in [&mut here, &mut beside, &mut there] {
            assert_eq!(client.next().await, message);
        }
    }
}

#[tokio::test]
async fn both_paths_mean_the_same_channel() {
    let node = Setup::memory().start().await;
    for (one, other) in [
        ("/", "/ws/lobby"),
        ("", "/lobby"),
        ("/chat", "/ws/chat"),
        ("/r%C3%A4ume/1", "/ws/r%C3%A4ume%2F1"),
        ("/chat?token=x", "/ws/chat?y"),
    ] {
        let (mut one, mut other) = (node.connect(one).await, node.connect(other).await);
        one.text("to the other").await;
        other.expect("to the other").await;
        other.text("and back").await;
        one.expect("to the other").await;
        one.expect("and back").await;
    }
}

#[tokio::test]
async fn another_channel_hears_nothing() {
    let node = Setup::memory().start().await;
    let (mut one, mut other) = (node.connect("/one").await, node.connect("/other").await);
    one.text("for one").await;
    one.expect("for one").await;
    other.text("for the other").await;
    other.expect("for the other").await;
}

#[tokio::test]
async fn reserved_paths_are_not_channels() {
    let node = Setup::memory().start().await;
    let bare = [
        "ws",
        "app",
        "apps",
        "connection",
        "emulation",
        "socket.io",
        "sockjs",
        "signalr",
        "sse",
        "admin",
        "healthz",
        "readyz",
        "metrics",
        "assets",
        "api",
        "health",
        "livez",
        "live",
        "ready",
        "status",
        "ping",
        "favicon.ico",
        "robots.txt",
        ".well-known",
    ];
    for kept in bare {
        for path in [format!("/{kept}"), format!("/{kept}/below")] {
            if kept == "ws" && path != "/ws" {
                continue;
            }
            let answer = node.upgrade(&path, &[]).await;
            assert_eq!(answer.status, 404, "{path}: {}", answer.text());
            let sentence = format!("/{kept} is kept by the server and is not a channel");
            assert!(answer.text().contains(&sentence), "{path}: {}", answer.text());
        }
        // Behind /ws/ the name is a channel.
        assert_eq!(node.upgrade(&format!("/ws/{kept}"), &[]).await.status, 101, "{kept}");
    }
}

#[tokio::test]
async fn the_first_subprotocol_is_echoed() {
    let node = Setup::memory().start().await;
    let offer = [("sec-websocket-protocol", "chat.v2, chat.v1")];
    let client = Client::connect_with(&node.ws("/chat"), &offer).await;
    assert_eq!(client.headers()["sec-websocket-protocol"], "chat.v2");
    let client = node.connect("/chat").await;
    assert!(!client.headers().contains_key("sec-websocket-protocol"));
}

#[tokio::test]
async fn the_api_publishes_text_json_and_bytes() {
    let node = Setup::memory().start().await;
    let mut client = node.connect("/ws/chat").await;
    let data = |data: &str| format!(r#"{{"channel": "chat", {data}}}"#);
    for (body, arrives) in [
        (data(r#""data": "h\u00e4 \"x\"""#), Message::text("h\u{e4} \"x\"")),
        (data(r#""data": """#), Message::text("")),
        (data(r#""data": {"b" : 1.0, "a": [] }"#), Message::text(r#"{"b" : 1.0, "a": [] }"#)),
        (data(r#""data": null"#), Message::text("null")),
        (data(r#""data": 1e2"#), Message::text("1e2")),
        (data(r#""b64data": "/wDB+g==""#), Message::binary(&b"\xff\x00\xc1\xfa"[..])),
        (data(r#""b64data": """#), Message::binary(Bytes::new())),
    ] {
        let answer =
            node.request("POST", "/api/publish", &[("X-API-Key", fanfare_testkit::KEY)], &body).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"result": {}})), "{body}");
        assert_eq!(client.next().await, arrives, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_redis_publish_is_relayed() {
    let cluster = TestCluster::start(2).await;
    let mut clients = [cluster.nodes[0].connect("/chat").await, cluster.nodes[1].connect("/ws/chat").await];
    for (payload, arrives) in [
        (&b"hello"[..], Message::text("hello")),
        (b"", Message::text("")),
        ("r\u{e4}ume".as_bytes(), Message::text("r\u{e4}ume")),
        (b"\xff\x00", Message::binary(&b"\xff\x00"[..])),
        // Begins like an envelope, and is not one.
        (b"\xc1", Message::binary(&b"\xc1"[..])),
    ] {
        cluster.plain_publish("chat", payload).await;
        for client in &mut clients {
            assert_eq!(client.next().await, arrives);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prefixes_separate_clusters() {
    let cluster = TestCluster::start(1).await;
    let theirs = Setup::redis(&cluster.redis.url()).toml("redis.prefix = \"theirs\"").start().await;
    let (mut ours, mut other) = (cluster.nodes[0].connect("/chat").await, theirs.connect("/chat").await);
    ours.text("ours").await;
    ours.expect("ours").await;
    other.text("theirs").await;
    other.expect("theirs").await;
    assert_eq!(theirs.nodes().await.len(), 1);
}

const NAMESPACES: &str = r#"
[[namespace]]
name = "news"
publish = "server"

[[namespace]]
name = "inner"
subscribe = "server"

[[namespace]]
name = "quiet"
echo = false
"#;

#[tokio::test]
async fn a_forbidden_publish_closes_with_1008() {
    let node = Setup::memory().toml(NAMESPACES).start().await;
    let (mut reader, mut writer) = (node.connect("/news:today").await, node.connect("/news:today").await);
    joined(&node, "news:today", &mut [&mut reader, &mut writer]).await;
    writer.text("fake news").await;
    let (code, reason) = writer.closed().await;
    assert_eq!(code, 1008);
    assert!(reason.contains("publish"), "{reason}");
    node.publish("news:today", "real news").await;
    reader.expect("real news").await;
}

#[tokio::test]
async fn a_forbidden_subscribe_gets_403() {
    let node = Setup::memory().toml(NAMESPACES).start().await;
    node.upgrade("/ws/inner:1", &[]).await.is(403, "subscribe");
    assert_eq!(node.upgrade("/ws/inner", &[]).await.status, 101, "in no namespace");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_echo_the_sender_gets_nothing() {
    let cluster = TestCluster::start_with(2, NAMESPACES).await;
    let mut sender = cluster.nodes[0].connect("/quiet:1").await;
    let mut beside = cluster.nodes[0].connect("/quiet:1").await;
    let mut there = cluster.nodes[1].connect("/quiet:1").await;
    sender.text("one").await;
    sender.text("two").await;
    for other in [&mut beside, &mut there] {
        other.expect("one").await;
        other.expect("two").await;
    }
    there.text("three").await;
    sender.expect("three").await;
    beside.expect("three").await;
    beside.text("four").await;
    for other in [&mut sender, &mut there] {
        other.expect("four").await;
    }
}

#[tokio::test]
async fn too_large_a_message_closes_its_sender() {
    let node = Setup::memory().toml("limits.message_bytes = \"1KiB\"").start().await;
    let (mut sender, mut other) = (node.connect("/chat").await, node.connect("/chat").await);
    sender.text(&"x".repeat(1024)).await;
    for client in [&mut sender, &mut other] {
        assert_eq!(client.next().await.len(), 1024);
    }
    sender.text(&"x".repeat(1025)).await;
    let (code, reason) = sender.closed().await;
    assert_eq!(code, 1009);
    assert!(reason.contains("1024"), "{reason}");
    other.text("still here").await;
    other.expect("still here").await;
}

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let node = Setup::memory().start().await;
    for code in [1000, 1001, 3000, 4999] {
        let mut client = node.connect("/chat").await;
        let answer = client.close(code, "so long").await;
        assert_eq!(answer.map(|(code, _)| code), Some(code));
    }
    let mut raw = node.raw().await;
    assert_eq!(raw.upgrade("/chat", &[]).await.status, 101);
    raw.frame(FrameHead::whole(Opcode::Text), b"last words").await;
    raw.frame(FrameHead::whole(Opcode::Close), b"").await;
    assert_eq!(raw.next_frame().await.payload, b"last words");
    assert_eq!(raw.next_frame().await.bytes, [0x88, 0], "a close without a code is answered by one without");
    assert!(raw.end().await.is_empty());
    node.sees(&[("test", 0)]).await;
}

#[tokio::test]
async fn a_ping_is_answered_between_fragments() {
    let node = Setup::memory().start().await;
    let mut raw = node.raw().await;
    assert_eq!(raw.upgrade("/chat", &[]).await.status, 101);
    let fragment = |fin, opcode| FrameHead { fin, compressed: false, opcode };
    raw.frame(fragment(false, Opcode::Text), b"in ").await;
    raw.frame(FrameHead::whole(Opcode::Ping), b"there?").await;
    let pong = raw.next_frame().await;
    assert_eq!((pong.bytes[0], &pong.payload[..]), (0x8a, &b"there?"[..]));
    raw.frame(fragment(true, Opcode::Continuation), b"pieces").await;
    let whole = raw.next_frame().await;
    assert_eq!((whole.bytes[0], &whole.payload[..]), (0x81, &b"in pieces"[..]));
}

#[tokio::test]
async fn compression_is_per_client() {
    let node = Setup::memory().toml("websocket.deflate = true").start().await;
    let mut deflated = node.raw().await;
    let offer = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")];
    let answer = deflated.upgrade("/chat", &offer).await;
    assert_eq!(answer.status, 101);
    let agreed = answer.header("sec-websocket-extensions").unwrap();
    assert!(agreed.starts_with("permessage-deflate; server_no_context_takeover"), "{agreed}");
    let mut plain = node.raw().await;
    assert!(plain.upgrade("/chat", &[]).await.header("sec-websocket-extensions").is_none());

    let (long, short) = ("all work and no play ".repeat(100), "short".to_owned());
    for (text, is_compressed) in [(&long, true), (&short, false), (&long, true)] {
        plain.frame(FrameHead::whole(Opcode::Text), text.as_bytes()).await;
        let frame = plain.next_frame().await;
        assert!(!frame.is_compressed() && frame.payload == text.as_bytes());
        let mut frame = deflated.next_frame().await;
        assert_eq!(frame.is_compressed(), is_compressed);
        assert!(!is_compressed || frame.payload.len() < text.len() / 4, "{}", frame.payload.len());
        assert_eq!(decoded(&mut frame.bytes), [Event::Text(Bytes::from(text.clone()))]);
    }

    // A compressed message of a client is relayed as its text.
    let mut compressor = fanfare_websocket::deflate::Compressor::new();
    let head = FrameHead { fin: true, compressed: true, opcode: Opcode::Text };
    deflated.frame(head, compressor.compress(long.as_bytes()).unwrap()).await;
    assert_eq!(plain.next_frame().await.payload, long.as_bytes());
}

/// The messages that a client with permessage-deflate reads.
fn decoded(bytes: &mut [u8]) -> Vec<Event> {
    let config = Config { role: Role::Client, max_message: 1 << 20, deflate: true };
    let mut events = Vec::new();
    let fed = Decoder::new().feed(bytes, &config, |event| {
        events.push(event);
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(fed, Ok(bytes.len()));
    events
}
