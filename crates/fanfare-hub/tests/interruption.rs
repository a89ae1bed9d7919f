//! Sessions after an interruption of the broker.

use std::time::Duration;

use fanfare_core::{
    Broker, BrokerEvents, Limits, Namespace, OnInterruption, Partition, broker::Interruption,
};
use fanfare_hub::Pace;

use crate::support::{Node, Setup, channel, settle};

const PACE: Pace = Pace { per_second: 10, within: Duration::from_secs(60) };

/// A node whose channels of the namespace `news` close after an interruption.
fn setup() -> Setup {
    let news =
        Namespace { name: "news".into(), on_interruption: OnInterruption::Close, ..Namespace::default() };
    Setup { shards: 2, named: vec![news], ..Setup::default() }
}

fn node() -> Node {
    let node = setup().memory();
    tokio::spawn(node.hub.interruptions.clone().tell_sessions(|| PACE));
    node
}

#[tokio::test(start_paused = true)]
async fn only_sessions_that_ask_are_closed() {
    let node = node();
    let stays = node.client_in(&["lobby", "newsroom"]).await;
    let closes = node.client_in(&["lobby", "news:1"]).await;
    node.dispatcher.interrupted(Partition(0), Interruption::Deaf);
    settle().await;
    assert!(closes.lines().is_empty(), "not before the broker is back: a reconnect would find the same");
    node.dispatcher.restored(Partition(0), Duration::from_millis(2500));
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
    node.dispatcher.interrupted(Partition(0), Interruption::Lost);
    node.dispatcher.restored(Partition(0), Duration::ZERO);
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

#[tokio::test(start_paused = true)]
async fn an_interrupted_partition_concerns_its_own_channels_only() {
    let (node, recorder) = setup().recorded();
    tokio::spawn(node.hub.interruptions.clone().tell_sessions(|| PACE));
    let [even, odd] = ["news:2", "news:1"];
    assert_eq!([even, odd].map(|name| recorder.partition_of(&channel(name))), [Partition(0), Partition(1)]);
    let (in_even, in_odd) = (node.client_in(&[even]).await, node.client_in(&[odd]).await);
    let in_both = node.client_in(&["lobby", even, odd]).await;
    node.dispatcher.interrupted(Partition(0), Interruption::Lost);
    node.dispatcher.interrupted(Partition(1), Interruption::Lost);
    node.dispatcher.restored(Partition(1), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(in_even.lines().is_empty(), "its partition is interrupted still");
    for client in [&in_odd, &in_both] {
        assert_eq!(client.lines(), ["close 79 interrupted"]);
    }
    node.dispatcher.restored(Partition(0), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(in_even.lines(), ["close 79 interrupted"]);
}
