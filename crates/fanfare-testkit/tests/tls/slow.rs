//! A client that does not read costs itself only, inside TLS too: see tests/slow.rs.

use fanfare_testkit::{Client, Frame, RawClient, Setup, assert_eventually};

use crate::Secure;

/// Room for four messages of 64 KiB. The goodbye has time, however busy the machine is.
const LIMITS: &str = "[limits]\noutbound_bytes = \"256KiB\"\ngoodbye = \"1m\"\n";

/// More than the kernel holds for a connection, in all.
const MESSAGES: usize = 300;

fn message(number: usize) -> String {
    format!("{number} {}", "x".repeat(60_000))
}

fn number(message: &[u8]) -> usize {
    let text = String::from_utf8_lossy(message);
    text.split(' ').next().unwrap_or_default().parse().unwrap_or(usize::MAX)
}

async fn sleeper(secure: &Secure, path: &str) -> RawClient {
    let mut client = secure.raw().await;
    assert_eq!(client.upgrade(path, &[]).await.status, 101);
    client
}

/// The next frame that is no ping: on a busy machine all of it takes longer than a client may be silent.
async fn no_ping(client: &mut RawClient) -> Frame {
    loop {
        let frame = client.next_frame().await;
        if frame.bytes[0] != 0x89 {
            return frame;
        }
    }
}

/// Publishes all messages; each comes to its publisher at once, whatever others do.
async fn publish(client: &mut Client) {
    for number in 0..MESSAGES {
        client.text(&message(number)).await;
        client.expect(&message(number)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_never_reads_is_closed_with_1013_and_gets_the_first_ones_whole() {
    let secure = Secure::start(Setup::memory().toml(LIMITS)).await;
    let mut sleeper = sleeper(&secure, "/ws/chat").await;
    let mut client = secure.connect("/ws/chat").await;
    publish(&mut client).await;
    assert_eventually!(
        secure.metric("fanfare_slow_clients_total{policy=\"disconnect\"}").await > 0.0,
        "the one who never reads is ended"
    );
    let mut got = Vec::new();
    let close = loop {
        let frame = no_ping(&mut sleeper).await;
        match frame.bytes[0] {
            0x81 => got.push(number(&frame.payload)),
            0x88 => break frame.payload,
            other => panic!("a frame that begins with {other:#x}"),
        }
    };
    assert_eq!(close[..2], 1013_u16.to_be_bytes());
    assert!(got.iter().copied().eq(0..got.len()) && got.len() < MESSAGES, "{got:?}");
    client.text("and on").await;
    client.expect("and on").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_conflating_namespace_it_reads_whole_messages_up_to_the_newest() {
    let conflating = "[[namespace]]\nname = \"feed\"\nslow_client = \"conflate\"\n";
    let secure = Secure::start_with(Setup::memory().toml(LIMITS), conflating).await;
    let mut sleeper = sleeper(&secure, "/ws/feed:1").await;
    let mut client = secure.connect("/ws/feed:1").await;
    publish(&mut client).await;
    let mut got = vec![number(&no_ping(&mut sleeper).await.payload)];
    while got.last() != Some(&(MESSAGES - 1)) {
        let frame = no_ping(&mut sleeper).await;
        assert_eq!((frame.bytes[0], frame.payload.len()), (0x81, message(number(&frame.payload)).len()));
        got.push(number(&frame.payload));
    }
    assert!(got.is_sorted_by(|one, next| one < next) && got.len() < MESSAGES, "{got:?}");
    client.text("and on").await;
    assert_eq!(no_ping(&mut sleeper).await.payload, b"and on");
    assert_eventually!(secure.metric("fanfare_outbound_queued_bytes").await < 1.0, "nothing waits any more");
}
