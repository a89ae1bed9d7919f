//! A client that does not read costs only itself: over real sockets, with each policy.

use fanfare_testkit::{
    Client, RawClient, Setup, TestNode, assert_eventually,
    backlog::{CONFLATING, LIMITS, MESSAGES, message, number, read_to_close},
};

/// A client in the channel that reads nothing.
async fn deaf_client(node: &TestNode, path: &str) -> RawClient {
    let mut client = node.raw().await;
    assert_eq!(client.upgrade(path, &[]).await.status, 101);
    client
}

/// Publishes all messages. Each reaches these clients at once.
async fn publish_to(clients: [&mut Client; 2]) {
    let [one, other] = clients;
    for number in 0..MESSAGES {
        one.text(&message(number)).await;
        one.expect(&message(number)).await;
        other.expect(&message(number)).await;
    }
}

async fn counts(node: &TestNode, line: &str) -> bool {
    node.get("/metrics").await.text().lines().any(|found| found == line)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_client_is_closed_with_1013() {
    let node = Setup::memory().toml(LIMITS).start().await;
    let mut deaf = deaf_client(&node, "/ws/chat").await;
    let (mut one, mut other) = (node.connect("/ws/chat").await, node.connect("/ws/chat").await);
    publish_to([&mut one, &mut other]).await;
    assert_eventually!(
        counts(&node, "fanfare_slow_clients_total{policy=\"disconnect\"} 1").await,
        "the client that never reads is closed"
    );
    let (got, close) = read_to_close(&mut deaf).await;
    assert_eq!(close[..2], 1013_u16.to_be_bytes());
    assert!(
        got.iter().copied().eq(0..got.len()) && got.len() < MESSAGES,
        "the first messages, whole: {got:?}"
    );
    deaf.end().await;
    one.text("and on").await;
    one.expect("and on").await;
    other.expect("and on").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_client_stays_where_messages_are_conflated() {
    let node = Setup::memory().toml(LIMITS).toml(CONFLATING).start().await;
    let mut deaf = deaf_client(&node, "/ws/feed:1").await;
    let (mut one, mut other) = (node.connect("/ws/feed:1").await, node.connect("/ws/feed:1").await);
    publish_to([&mut one, &mut other]).await;
    let mut got = vec![number(&deaf.next_frame().await.payload)];
    while got.last() != Some(&(MESSAGES - 1)) {
        got.push(number(&deaf.next_frame().await.payload));
    }
    assert!(got.is_sorted_by(|one, next| one < next), "{got:?}");
    let dropped = MESSAGES - got.len();
    assert!(dropped > 0);
    assert!(counts(&node, &format!("fanfare_publications_conflated_total {dropped}")).await);
    assert!(counts(&node, "fanfare_slow_clients_total{policy=\"conflate\"} 1").await);
    one.text("and on").await;
    assert_eq!(deaf.next_frame().await.payload, b"and on");
    other.expect("and on").await;
    assert_eventually!(
        counts(&node, "fanfare_outbound_queued_bytes 0").await,
        "its bytes are given back to the budget"
    );
}
