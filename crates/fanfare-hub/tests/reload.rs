//! Limits and namespaces that change while the hub runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake},
};

use fanfare_core::{Access, BrokerEvents, Limits, Namespace, Namespaces, Partition};

use crate::support::{Setup, settle};

#[tokio::test(start_paused = true)]
async fn a_channel_that_has_subscribers_follows_its_namespace() {
    let node = Setup::default().memory();
    let (alice, bob) = (node.client_in(&["a"]).await, node.client_in(&["a"]).await);
    alice.say("pub a first").await;
    settle().await;
    let quiet = Namespace { echo: false, ..Namespace::default() };
    node.hub.settings.reload(&Limits::default(), Namespaces::new(quiet, Vec::new()));
    alice.say("pub a second").await;
    settle().await;
    assert_eq!(alice.lines(), ["ok 1", "a first", "ok 2"]);
    assert_eq!(bob.lines(), ["a first", "a second"]);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_channels_and_judges_commands() {
    let node = Setup::default().memory();
    let alice = node.client_in(&["a"]).await;
    let closed = Namespace { subscribe: Access::Token, publish: Access::Server, ..Namespace::default() };
    let limits = Limits { channels_per_connection: 1, ..Limits::default() };
    node.hub.settings.reload(&limits, Namespaces::new(closed, Vec::new()));
    alice.say("pub a hello").await;
    alice.say("sub b").await;
    node.publish("a", "news").await.unwrap();
    settle().await;
    let lines = alice.lines();
    assert!(lines.iter().any(|line| line == "a news"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("ok")), "{lines:?}");

    node.hub.settings.reload(&limits, Namespaces::default());
    alice.say("sub b").await;
    settle().await;
    assert!(!alice.lines().iter().any(|line| line.starts_with("ok")), "one channel is all it may hold");
    node.hub.settings.reload(&Limits::default(), Namespaces::default());
    alice.say("sub b").await;
    settle().await;
    assert!(alice.lines().iter().any(|line| line.starts_with("ok")), "{:?}", alice.lines());
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_larger_bound_wakes_the_broker() {
    let limits = Limits { inbound_bytes: 10_000, ..Limits::default() };
    let (node, recorder) = Setup { limits, ..Setup::default() }.recorded();
    let client = node.client_in(&["a"]).await;
    recorder.deliver("a", "x".repeat(10_000));
    let woken = Arc::new(Woken::default());
    let waker = woken.clone().into();
    let mut cx = Context::from_waker(&waker);
    assert_eq!(node.dispatcher.poll_ready(Partition(0), &mut cx), Poll::Pending, "no shard had its turn yet");
    node.hub.settings.reload(&Limits::default(), Namespaces::default());
    assert!(woken.0.load(Ordering::Relaxed));
    assert_eq!(node.dispatcher.poll_ready(Partition(0), &mut cx), Poll::Ready(()));
    settle().await;
    assert_eq!(client.lines().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn bounds_are_those_of_the_moment() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client();
    client.say("pub a x").await;
    let has_room = || {
        let waker = Arc::new(Woken::default()).into();
        client.inbound.lock().poll_ready(&mut Context::from_waker(&waker)).is_ready()
    };
    assert!(has_room());
    let narrow = Limits { unanswered_publishes: 1, outbound_bytes: 5_000, ..Limits::default() };
    node.hub.settings.reload(&narrow, Namespaces::default());
    assert!(!has_room());
    assert_eq!((node.hub.budget().per_session(), node.hub.settings.limits().outbound_bytes), (5_000, 5_000));
    recorder.answer(0, Ok(()));
    assert!(has_room());
}

#[tokio::test(start_paused = true)]
async fn the_largest_message_does_not_change() {
    let node = Setup::default().memory();
    let larger = Limits { message_bytes: 1 << 20, ..Limits::default() };
    node.hub.settings.reload(&larger, Namespaces::default());
    let bytes = Limits::default().message_bytes;
    assert_eq!((node.hub.settings.message_bytes(), node.hub.settings.limits().message_bytes), (bytes, bytes));
}
