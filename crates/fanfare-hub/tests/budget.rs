//! The budget of bytes that wait for all sockets of a node.

use std::time::Duration;

use fanfare_core::{Limits, Namespace, SlowClient};

use crate::support::{Client, Framing, Node, Pipe, Recorder, Setup, channel, settle};

/// The channels of the namespace `feed` conflate.
fn narrow(outbound_total_bytes: usize) -> Setup {
    let limits = Limits { outbound_bytes: 100_000, outbound_total_bytes, ..Limits::default() };
    let feed = Namespace { name: "feed".into(), slow_client: SlowClient::Conflate, ..Namespace::default() };
    Setup { limits, named: vec![feed], shards: 2, ..Setup::default() }
}

/// A client whose socket takes nothing, and for which this number of publications of 1,000 bytes wait.
async fn behind(node: &Node, recorder: &Recorder, name: &str, publications: usize) -> Client {
    let client = node.client_on(Pipe::bounded(Framing::Newline, 0));
    client.join(&[name]).await;
    for number in 0..publications {
        recorder.deliver(name, format!("{number} {}", "x".repeat(1000)));
        settle().await;
    }
    client
}

fn lines_but_padding(client: &Client) -> Vec<String> {
    client.pipe.widen();
    client.lines().iter().map(|line| line.split(" x").next().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn past_the_budget_the_slowest_goes_first() {
    let (node, recorder) = narrow(60_000).recorded();
    let some = behind(&node, &recorder, "some", 20).await;
    let most = behind(&node, &recorder, "most", 25).await;
    let reader = node.client_in(&["least"]).await;
    assert!(node.hub.budget().used() > 45_000);
    let least = behind(&node, &recorder, "least", 15).await;
    assert!(most.session.has_ended());
    assert!(!some.session.has_ended() && !least.session.has_ended());
    assert_eq!((node.closed("slow"), node.slow("disconnect")), (1, 1));
    assert_eq!(reader.lines().len(), 15, "a client that reads gets everything");
    assert_eq!(lines_but_padding(&most), Vec::<String>::new());
    settle().await;
    assert_eq!(lines_but_padding(&most), ["close 75 slow"], "the queue is dropped, and the client is told");
    drop((lines_but_padding(&some), lines_but_padding(&least)));
    settle().await;
    assert_eq!(lines_but_padding(&some).len(), 20);
    assert_eq!(node.hub.budget().used(), 0, "the charges are given back");
}

#[tokio::test(start_paused = true)]
async fn replaceable_messages_go_before_sessions() {
    let (node, recorder) = narrow(60_000).recorded();
    let feed = behind(&node, &recorder, "feed:1", 25).await;
    let plain = behind(&node, &recorder, "plain", 40).await;
    assert!(!feed.session.has_ended() && !plain.session.has_ended());
    assert_eq!(node.hub.metrics().conflated.get(), 24);
    assert_eq!((node.slow("conflate"), node.slow("disconnect")), (1, 0));
    drop((lines_but_padding(&feed), lines_but_padding(&plain)));
    settle().await;
    assert_eq!(lines_but_padding(&feed), ["feed:1 24"]);
    assert_eq!(lines_but_padding(&plain).len(), 40);
}

#[tokio::test(start_paused = true)]
async fn detached_and_ending_sessions_are_charged() {
    let (node, recorder) = narrow(60_000).recorded();
    let session = node.hub.sessions.open(&node.kind, fanfare_hub::Peer::default());
    node.hub.subscriptions.subscribe(&session, &channel("detached")).await.unwrap();
    for _ in 0..30 {
        recorder.deliver("detached", "x".repeat(1000));
        settle().await;
    }
    assert!(node.hub.budget().used() > 30_000);
    let leaving = behind(&node, &recorder, "leaving", 20).await;
    leaving.end(&fanfare_core::Disconnect::Restart);
    let used = node.hub.budget().used();
    assert!(used > 50_000, "its goodbye waits behind the rest");
    let _late = behind(&node, &recorder, "late", 10).await;
    assert!(session.has_ended(), "most waited for it");
    assert!(node.hub.budget().used() < used - 20_000, "its messages are dropped");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(node.hub.budget().used() < 12_000, "the goodbyes are over");
}

#[tokio::test(start_paused = true)]
async fn many_small_messages_are_charged_their_places_too() {
    let (node, recorder) = narrow(60_000).recorded();
    let client = node.client_on(Pipe::bounded(Framing::Newline, 0));
    client.join(&["a"]).await;
    for _ in 0..100 {
        recorder.deliver("a", "");
        settle().await;
    }
    assert_eq!(client.session.queued(), 100 * "ta \n".len());
    assert!(node.hub.budget().used() >= 100 * size_of::<(bytes::Bytes, Option<fanfare_core::Channel>)>());
}
