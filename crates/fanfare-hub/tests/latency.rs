//! Relay latency: once per publication and shard, by the origin of the publication.

use std::time::Duration;

use fanfare_core::{BrokerEvents, Incarnation, Origin, Payload, Publication};
use tokio::time::Instant;

use crate::support::{INCARNATION, Node, Setup, channel, settle};

const HOUR: Duration = Duration::from_secs(3600);

/// The number of publications of this node and of others that were observed, with their seconds.
fn latencies(node: &Node) -> [(u64, f64); 2] {
    let latency = &node.hub.metrics().relay_latency;
    [&latency.local, &latency.remote].map(|origin| (origin.get_sample_count(), origin.get_sample_sum()))
}

fn skewed(node: &Node) -> u64 {
    node.hub.metrics().relay_latency.skewed.get()
}

/// A publication of the node `from` arrives, with this time of publish.
fn arrives(node: &Node, name: &str, from: Incarnation, published: Option<Instant>) {
    let origin = Origin { node: from, session: None, sequence: 1 };
    let publication = Publication::new(channel(name), Payload::text("x"), Some(origin));
    node.dispatcher.publication(publication.published_at(published.map(Instant::into_std)));
}

#[tokio::test(start_paused = true)]
async fn latency_counts_once_per_shard() {
    let node = Setup { shards: 2, ..Setup::default() }.memory();
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(node.client_in(&["a"]).await);
    }
    for _ in 0..3 {
        node.publish("a", "x").await.unwrap();
    }
    node.publish("nobody", "x").await.unwrap();
    settle().await;
    assert_eq!(latencies(&node), [(6, 0.0), (0, 0.0)], "paused time does not pass");
    assert_eq!(node.hub.metrics().deliveries.get(), 30);
}

#[tokio::test(start_paused = true)]
async fn the_origin_decides_where_it_counts() {
    let (node, _recorder) = Setup::default().recorded();
    let _client = node.client_in(&["a"]).await;
    let now = Instant::now();
    arrives(&node, "a", INCARNATION, Some(now));
    arrives(&node, "a", Incarnation(99), Some(now - Duration::from_secs(5)));
    settle().await;
    let [local, remote] = latencies(&node);
    assert_eq!((local.0, remote.0), (1, 1));
    assert!(local.1 < 1.0 && (5.0..6.0).contains(&remote.1), "{local:?} {remote:?}");
}

#[tokio::test(start_paused = true)]
async fn a_negative_latency_counts_as_zero() {
    let (node, _recorder) = Setup::default().recorded();
    let _client = node.client_in(&["a"]).await;
    arrives(&node, "a", Incarnation(99), Some(Instant::now() + HOUR));
    settle().await;
    assert_eq!((latencies(&node), skewed(&node)), ([(0, 0.0), (1, 0.0)], 1));
}

#[tokio::test(start_paused = true)]
async fn untimed_and_unheard_publications_are_not_counted() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client_in(&["a"]).await;
    recorder.deliver("a", "a plain PUBLISH");
    arrives(&node, "a", Incarnation(99), None);
    arrives(&node, "nobody", Incarnation(99), Some(Instant::now()));
    settle().await;
    assert_eq!(client.lines().len(), 2);
    assert_eq!((latencies(&node), skewed(&node)), ([(0, 0.0); 2], 0));
}

#[tokio::test(start_paused = true)]
async fn deferred_publications_are_timed_too() {
    let (node, _recorder) = Setup::default().recorded();
    let several = node.client_in(&["a", "b"]).await;
    for name in ["a", "b", "a"] {
        arrives(&node, name, Incarnation(99), Some(Instant::now()));
    }
    settle().await;
    assert_eq!((several.lines().len(), several.pipe.writes()), (3, 1));
    assert_eq!(latencies(&node)[1].0, 3);
}
