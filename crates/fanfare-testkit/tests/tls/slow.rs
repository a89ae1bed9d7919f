//! A client that does not read costs only itself, inside TLS too; without TLS: `relay/slow.rs`.

use fanfare_testkit::{
    Client, RawClient, Setup, assert_eventually,
    backlog::{CONFLATING, LIMITS, MESSAGES, message, number, read_to_close},
};

use crate::Secure;

async fn deaf_client(secure: &Secure, path: &str) -> RawClient {
    let mut client = secure.raw().await;
    assert_eq!(client.upgrade(path, &[]).await.status, 101);
    client
}

/// Publishes all messages. Each reaches its publisher at once.
async fn publish(client: &mut Client) {
    for number in 0..MESSAGES {
        client.text(&message(number)).await;
        client.expect(&message(number)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_client_is_closed_with_1013() {
    let secure = Secure::start(Setup::memory().toml(LIMITS)).await;
    let mut deaf = deaf_client(&secure, "/ws/chat").await;
    let mut client = secure.connect("/ws/chat").await;
    publish(&mut client).await;
    assert_eventually!(
        secure.metric("fanfare_slow_clients_total{policy=\"disconnect\"}").await > 0.0,
        "the client that never reads is closed"
    );
    let (got, close) = read_to_close(&mut deaf).await;
    assert_eq!(close[..2], 1013_u16.to_be_bytes());
    assert!(got.iter().copied().eq(0..got.len()) && got.len() < MESSAGES, "{got:?}");
    client.text("and on").await;
    client.expect("and on").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_client_gets_whole_messages() {
    let secure = Secure::start_with(Setup::memory().toml(LIMITS), CONFLATING).await;
    let mut deaf = deaf_client(&secure, "/ws/feed:1").await;
    let mut client = secure.connect("/ws/feed:1").await;
    publish(&mut client).await;
    let mut got = vec![number(&deaf.next_frame_past_pings().await.payload)];
    while got.last() != Some(&(MESSAGES - 1)) {
        let frame = deaf.next_frame_past_pings().await;
        assert_eq!((frame.bytes[0], frame.payload.len()), (0x81, message(number(&frame.payload)).len()));
        got.push(number(&frame.payload));
    }
    assert!(got.is_sorted_by(|one, next| one < next) && got.len() < MESSAGES, "{got:?}");
    client.text("and on").await;
    assert_eq!(deaf.next_frame_past_pings().await.payload, b"and on");
    assert_eventually!(secure.metric("fanfare_outbound_queued_bytes").await < 1.0, "the queue is empty");
}
