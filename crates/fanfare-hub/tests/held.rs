//! A channel that is joined before its history was read.

use fanfare_core::{Disconnect, Limits};

use crate::support::{Client, Node, Setup, channel, lines::text, numbered, settle};

async fn joined(node: &Node) -> Client {
    let client = node.client();
    node.hub.subscriptions.subscribe_held(&client.session, &channel("a")).await.unwrap();
    client
}

#[tokio::test(start_paused = true)]
async fn history_comes_before_what_was_held() {
    let (node, recorder) = Setup::default().recorded();
    let client = joined(&node).await;
    (3..6).for_each(|number| recorder.deliver("a", number.to_string()));
    settle().await;
    assert!(client.lines().is_empty());
    node.hub.subscriptions.release(&client.session, &channel("a"), vec![text("a 1"), text("a 2")]);
    (6..8).for_each(|number| recorder.deliver("a", number.to_string()));
    settle().await;
    assert_eq!(client.lines(), numbered("a", 1..8));
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_at_the_release_comes_once() {
    let (node, recorder) = Setup::default().recorded();
    let client = joined(&node).await;
    recorder.deliver("a", "1");
    // The shard did not look at it yet.
    node.hub.subscriptions.release(&client.session, &channel("a"), Vec::new());
    settle().await;
    assert_eq!(client.lines(), ["a 1"]);
}

#[tokio::test(start_paused = true)]
async fn only_the_held_channel_waits() {
    let (node, recorder) = Setup::default().recorded();
    let client = joined(&node).await;
    client.join(&["b"]).await;
    recorder.deliver("a", "1");
    recorder.deliver("b", "1");
    settle().await;
    assert_eq!(client.lines(), ["b 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_left_while_held_sends_nothing() {
    let (node, recorder) = Setup::default().recorded();
    let client = joined(&node).await;
    recorder.deliver("a", "1");
    settle().await;
    client.leave("a");
    node.hub.subscriptions.release(&client.session, &channel("a"), vec![text("a 0")]);
    assert!(client.lines().is_empty());
    client.join(&["a"]).await;
    recorder.deliver("a", "2");
    settle().await;
    assert_eq!(client.lines(), ["a 2"]);
}

#[tokio::test(start_paused = true)]
async fn held_publications_have_the_bound_of_a_queue() {
    let limits = Limits { outbound_bytes: 10_000, ..Limits::default() };
    let (node, recorder) = Setup { limits, ..Setup::default() }.recorded();
    let client = joined(&node).await;
    (0..20).for_each(|_| recorder.deliver("a", "x".repeat(1000)));
    settle().await;
    assert!(client.session.has_ended());
    assert_eq!(node.closed(Disconnect::Slow.name()), 1);
}
