//! Clients over TLS behave like clients without.

use fanfare_testkit::{Client, KEY, Message, Setup, assert_eventually};
use fanfare_websocket::{FrameHead, Opcode};
use serde_json::json;

use crate::Secure;

const LARGE: &str = "[limits]\nmessage_bytes = \"8MiB\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_every_size_pass_tls() {
    let secure = Secure::start(Setup::memory().toml(LARGE)).await;
    let mut new = secure.connect("/chat").await;
    let mut old = Client::connect_tls(&secure.url("/chat"), secure.authority.old_client()).await;
    // Around a record's end, and more records than a socket takes at once.
    let record = 16 << 10;
    for size in [0, 1, record - 5, record - 4, record - 3, record, record + 1, 3 * record, 5 << 20] {
        let message = Message::binary((0..size).map(|at| (at % 251) as u8).collect::<Vec<_>>());
        for sends_new in [true, false] {
            let sender = if sends_new { &mut new } else { &mut old };
            sender.send(message.clone()).await;
            let (one, other) = tokio::join!(new.next(), old.next());
            assert!(one == message && other == message, "{size} bytes");
        }
    }
    assert_eq!(new.close(1000, "bye").await, Some((1000, String::new())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_bytes_in_small_records_are_read() {
    let secure = Secure::start(Setup::memory()).await;
    let mut raw = secure.raw().await;
    assert_eq!(raw.upgrade("/crumbs", &[]).await.status, 101);
    let mut listener = secure.connect("/crumbs").await;
    let mut frame = Vec::new();
    let head = FrameHead { fin: true, compressed: false, opcode: Opcode::Text };
    fanfare_websocket::encode::frame(&mut frame, head, b"in crumbs", Some([1, 2, 3, 4]));
    for byte in frame {
        // A record for each byte.
        raw.send(&[byte]).await;
    }
    listener.expect("in crumbs").await;
    assert_eq!(raw.next_frame().await.payload, b"in crumbs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_api_and_pings_work_inside_tls() {
    let fast = "[relay]\nping_interval = \"1s\"\npong_timeout = \"1s\"\n";
    let secure = Secure::start(Setup::memory().toml(fast)).await;
    let mut raw = secure.raw().await;
    let page = raw.request("GET", "/", &[], &[]).await;
    assert!(page.status == 200 && page.text().contains("Fanfare"), "{}", page.status);
    let mut client = secure.connect("/chat").await;
    let body = json!({"channel": "chat", "data": "hello"}).to_string();
    let answer = raw.request("POST", "/api/publish", &[("X-API-Key", KEY)], body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    client.expect("hello").await;
    // A client without pongs is dropped.
    let mut silent = secure.raw().await;
    assert_eq!(silent.upgrade("/chat", &[]).await.status, 101);
    assert_eq!(silent.next_frame().await.bytes[0], 0x89);
    silent.end().await;
    assert_eventually!(
        secure.metric("fanfare_connections_closed_total{reason=\"no_pong\"}").await > 0.0,
        "the dropped client is counted"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_node_ends_tls_properly() {
    let secure = Secure::start(Setup::memory().toml(LARGE)).await;
    let mut raw = secure.raw().await;
    assert_eq!(raw.upgrade("/chat", &[]).await.status, 101);
    let mut client = secure.connect("/chat").await;
    // More than the sockets hold: some of it waits when the node ends.
    let message = "x".repeat(6 << 20);
    client.text(&message).await;
    client.expect(&message).await;
    let stopping = tokio::spawn(secure.node.stop());
    assert_eq!(raw.next_frame().await.payload, message.as_bytes());
    assert_eq!(client.closed().await.0, 1012);
    let goodbye = raw.next_frame().await;
    assert_eq!((goodbye.bytes[0], &goodbye.payload[..2]), (0x88, &1012_u16.to_be_bytes()[..]));
    let head = FrameHead { fin: true, compressed: false, opcode: Opcode::Close };
    raw.frame(head, &1012_u16.to_be_bytes()).await;
    assert!(raw.good_end().await.unwrap().is_empty(), "bytes came after the close");
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_and_polls_work_inside_tls() {
    let kept = "[[namespace]]\nhistory_size = 10\n";
    let secure = Secure::start_with(Setup::memory(), kept).await;
    let mut raw = secure.raw().await;
    let first = raw.request("GET", "/poll?channel=a", &[], &[]).await.json();
    let path = format!("/poll?channel=a&timeout=0&cursor={}", first["cursor"].as_str().unwrap());
    for _ in 0..3 {
        assert_eq!(raw.request("GET", &path, &[], &[]).await.json(), first);
    }
    raw.send(b"GET /sse/a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let head = raw.head().await;
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")));
    let (mut text, message) = (String::new(), "x".repeat(40 << 10));
    let mut client = secure.connect("/a").await;
    while !text.contains("subscribed") {
        text += &String::from_utf8(raw.chunk().await).unwrap();
    }
    for _ in 0..5 {
        client.text(&message).await;
        client.expect(&message).await;
    }
    while text.matches(&message).count() < 5 {
        text += &String::from_utf8(raw.chunk().await).unwrap();
    }
}
