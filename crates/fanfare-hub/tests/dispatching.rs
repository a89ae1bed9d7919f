//! The bound between the broker and the shards, and publications without subscribers.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use fanfare_core::{Broker, BrokerEvents, Limits, Partition, Publication, Sink, broker::Recipient};

use crate::support::{Framing, Node, Pipe, Setup, channel, ends, numbered, settle, until};

fn narrow(shards: usize) -> Setup {
    let limits = Limits { inbound_bytes: 10_000, ..Limits::default() };
    Setup { shards, limits, ..Setup::default() }
}

fn has_room(node: &Node) -> bool {
    node.dispatcher.poll_ready(Partition(0), &mut Context::from_waker(Waker::noop())).is_ready()
}

/// Waits as a broker does before it reads on.
fn wait_for_room(node: &Node) -> tokio::task::JoinHandle<()> {
    let dispatcher = node.dispatcher.clone();
    tokio::spawn(async move { poll_fn(|cx| dispatcher.poll_ready(Partition(0), cx)).await })
}

#[tokio::test(start_paused = true)]
async fn past_the_bound_the_broker_waits() {
    let (node, recorder) = narrow(1).recorded();
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(node.client_in(&["a"]).await);
    }
    assert!(has_room(&node));
    recorder.deliver("a", "x".repeat(10_000));
    let broker = wait_for_room(&node);
    until(|| crowd[0].pipe.writes() > 0).await;
    assert!(!broker.is_finished(), "the shard is in the middle of it");
    settle().await;
    assert!(broker.is_finished());
    assert!(crowd.iter().all(|client| client.pipe.writes() == 1));
}

#[tokio::test(start_paused = true)]
async fn a_publication_counts_once_per_shard() {
    let (node, recorder) = narrow(2).recorded();
    let _clients = [node.client_in(&["a"]).await, node.client_in(&["a", "b"]).await];
    recorder.deliver("b", "x".repeat(6_000));
    assert!(has_room(&node));
    recorder.deliver("a", "x".repeat(6_000));
    let broker = wait_for_room(&node);
    assert!(!has_room(&node));
    settle().await;
    assert!(broker.is_finished());
}

/// A transport that blocks its writer until it is released.
struct Stuck(Arc<parking_lot::Mutex<()>>);

impl Sink for Stuck {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let _held = self.0.lock();
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn poll_writable(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn finish(&self) {}

    fn abort(&self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_queue_of_a_stuck_shard_is_bounded() {
    let (node, recorder) = narrow(2).recorded();
    let stuck = Arc::new(parking_lot::Mutex::new(()));
    let held = stuck.clone();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (taken, is_taken) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        let _held = held.lock();
        taken.send(()).unwrap();
        let _ = released.recv();
    });
    is_taken.recv().unwrap();
    let sessions: Vec<_> =
        (0..2).map(|_| node.hub.sessions.open(&node.kind, fanfare_hub::Peer::default())).collect();
    node.hub.sessions.attach(&sessions[0], &Framing::Newline, Arc::new(Stuck(stuck)));
    let reader = Pipe::open(Framing::Newline);
    node.hub.sessions.attach(&sessions[1], reader.framing(), reader.sink());
    for session in &sessions {
        node.hub.subscriptions.subscribe(session, &channel("a")).await.unwrap();
    }
    let cost = 1000 + size_of::<Publication>();
    let mut delivered = 0;
    while has_room(&node) {
        recorder.deliver("a", "x".repeat(1000));
        delivered += 1;
        // Before the other shard is done, its bytes could be what fills the bound for a moment.
        ends(async {
            while node.dispatcher.inbound_queued() > cost * delivered {
                tokio::task::yield_now().await
            }
        })
        .await;
    }
    assert!(delivered <= 10, "{delivered} of 1,000 bytes were let in");
    assert_eq!(node.dispatcher.inbound_queued(), cost * delivered);
    let broker = wait_for_room(&node);
    ends(async {
        while node.hub.metrics().broker_waits.get() == 0 {
            tokio::task::yield_now().await
        }
    })
    .await;
    assert!(!broker.is_finished());
    release.send(()).unwrap();
    ends(broker).await.unwrap();
    holder.join().unwrap();
    ends(async {
        while node.dispatcher.inbound_queued() > 0 {
            tokio::task::yield_now().await
        }
    })
    .await;
    assert_eq!(node.hub.metrics().broker_waits.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_waited_loses_nothing() {
    let node = narrow(2).memory();
    let clients = [node.client_in(&["a"]).await, node.client_in(&["a"]).await];
    let node = Arc::new(node);
    let publishes: Vec<_> = (0..200)
        .map(|number| {
            let node = node.clone();
            tokio::spawn(async move { node.publish("a", number.to_string()).await })
        })
        .collect();
    for publish in publishes {
        ends(publish).await.unwrap().unwrap();
    }
    settle().await;
    assert!(clients.iter().all(|client| client.lines() == numbered("a", 0..200)));
}

#[tokio::test(start_paused = true)]
async fn a_publication_without_subscribers_is_counted() {
    let (node, recorder) = narrow(1).recorded();
    let _client = node.client_in(&["a"]).await;
    for _ in 0..3 {
        recorder.deliver("b", "x".repeat(10_000));
    }
    assert_eq!(node.hub.metrics().unheard.get(), 3);
    assert!(has_room(&node));
}

#[tokio::test(start_paused = true)]
async fn control_messages_arrive_in_order_within_the_bound() {
    let (mut node, recorder) = Setup::default().recorded();
    for number in 0..1030_u32 {
        recorder.control(Recipient::All, Bytes::from(number.to_string()));
    }
    for number in 0..1024_u32 {
        assert_eq!(node.controls.recv().await.unwrap().body, number.to_string());
    }
    assert!(node.controls.is_empty());
    assert_eq!(node.hub.metrics().control_dropped.get(), 6);
}
