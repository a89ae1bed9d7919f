//! A client that does not read costs itself only: over real sockets, with each policy.

use fanfare_testkit::{Client, RawClient, Setup, TestNode, assert_eventually};

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

/// A client that is in the channel, and reads nothing.
async fn sleeper(node: &TestNode, path: &str) -> RawClient {
    let mut client = node.raw().await;
    assert_eq!(client.upgrade(path, &[]).await.status, 101);
    client
}

/// Publishes all messages; each comes to these at once, whatever others do.
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
async fn one_who_never_reads_is_closed_with_1013_and_its_neighbours_get_everything() {
    let node = Setup::memory().toml(LIMITS).start().await;
    let mut sleeper = sleeper(&node, "/ws/chat").await;
    let (mut one, mut other) = (node.connect("/ws/chat").await, node.connect("/ws/chat").await);
    publish_to([&mut one, &mut other]).await;
    assert_eventually!(
        counts(&node, "fanfare_slow_clients_total{policy=\"disconnect\"} 1").await,
        "the one who never reads is ended"
    );
    let mut got = Vec::new();
    let close = loop {
        let frame = sleeper.next_frame().await;
        match frame.bytes[0] {
            0x81 => got.push(number(&frame.payload)),
            0x88 => break frame.payload,
            other => panic!("a frame that begins with {other:#x}"),
        }
    };
    assert_eq!(close[..2], 1013_u16.to_be_bytes());
    assert!(got.iter().copied().eq(0..got.len()) && got.len() < MESSAGES, "the first ones, whole: {got:?}");
    sleeper.end().await;
    one.text("and on").await;
    one.expect("and on").await;
    other.expect("and on").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_conflating_namespace_it_stays_and_reads_on_to_the_newest() {
    let conflating = "[[namespace]]\nname = \"feed\"\nslow_client = \"conflate\"\n";
    let node = Setup::memory().toml(LIMITS).toml(conflating).start().await;
    let mut sleeper = sleeper(&node, "/ws/feed:1").await;
    let (mut one, mut other) = (node.connect("/ws/feed:1").await, node.connect("/ws/feed:1").await);
    publish_to([&mut one, &mut other]).await;
    let mut got = vec![number(&sleeper.next_frame().await.payload)];
    while got.last() != Some(&(MESSAGES - 1)) {
        got.push(number(&sleeper.next_frame().await.payload));
    }
    assert!(got.is_sorted_by(|one, next| one < next), "{got:?}");
    let dropped = MESSAGES - got.len();
    assert!(dropped > 0);
    assert!(counts(&node, &format!("fanfare_publications_conflated_total {dropped}")).await);
    assert!(counts(&node, "fanfare_slow_clients_total{policy=\"conflate\"} 1").await);
    one.text("and on").await;
    assert_eq!(sleeper.next_frame().await.payload, b"and on");
    other.expect("and on").await;
    assert_eventually!(
        counts(&node, "fanfare_outbound_queued_bytes 0").await,
        "what waited is given back to the budget"
    );
}
