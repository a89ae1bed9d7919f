//! What sessions learn of an interruption of the broker.

use std::time::Duration;

use fanfare_core::{BrokerEvents, Limits, Namespace, OnInterruption, broker::Interruption};
use fanfare_hub::Pace;

use crate::support::{Node, Setup, channel, settle};

const PACE: Pace = Pace { per_second: 10, within: Duration::from_secs(60) };

/// A node whose channels of the namespace `news` close after an interruption.
fn node() -> Node {
    let news =
        Namespace { name: "news".into(), on_interruption: OnInterruption::Close, ..Namespace::default() };
    let node = Setup { shards: 2, named: vec![news], ..Setup::default() }.memory();
    tokio::spawn(node.hub.interruptions.clone().close_sessions(|| PACE));
    node
}

#[tokio::test(start_paused = true)]
async fn only_sessions_that_ask_are_closed() {
    let node = node();
    let stays = node.client_in(&["lobby", "newsroom"]).await;
    let closes = node.client_in(&["lobby", "news:1"]).await;
    node.dispatcher.interrupted(Interruption::Deaf);
    settle().await;
    assert!(closes.lines().is_empty(), "not before the broker is back: a reconnect would find the same");
    node.dispatcher.restored(Duration::from_millis(2500));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(closes.lines(), ["close 79 interrupted"]);
    assert!(stays.lines().is_empty() && !stays.session.has_ended());
    let metrics = node.hub.metrics();
    assert_eq!(metrics.interruption_seconds.get(), 2.5);
    assert_eq!(metrics.interruptions(Interruption::Deaf), 1);
    assert_eq!(metrics.interruptions(Interruption::Lost), 0);
}

#[tokio::test(start_paused = true)]
async fn sessions_are_closed_at_a_pace() {
    let node = node();
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(node.client_in(&["news:1"]).await);
    }
    node.dispatcher.interrupted(Interruption::Lost);
    node.dispatcher.restored(Duration::ZERO);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let closed = node.closed("interrupted");
    assert!((40..=60).contains(&closed), "{closed} of 100 after five seconds at ten a second");
}

#[tokio::test(start_paused = true)]
async fn a_loss_concerns_its_channel_only() {
    let node = node();
    let (lost, other) = (node.client_in(&["news:1"]).await, node.client_in(&["news:2"]).await);
    let stays = node.client_in(&["lobby"]).await;
    for name in ["news:1", "lobby"] {
        node.dispatcher.missed(&channel(name));
    }
    tokio::time::sleep(Limits::default().goodbye).await;
    assert_eq!(lost.lines(), ["close 79 interrupted"]);
    assert!(other.lines().is_empty() && stays.lines().is_empty());
    assert_eq!(node.hub.metrics().missed.get(), 2);
}
