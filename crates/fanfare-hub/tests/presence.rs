//! The clients that presence is told of.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fanfare_core::{
    Channel, ClientId, Identity, Limits, Namespace, Namespaces, Presence,
    presence::{Entered, PresenceEntry, PresenceFuture, PresenceStats},
};
use fanfare_hub::Peer;
use tokio::{sync::Notify, time::sleep};

use crate::{
    connecting::{connected, setup},
    support::{Node, Setup, channel, settle},
};

/// May use every channel.
struct Ann;

impl Identity for Ann {
    fn subject(&self) -> Option<&str> {
        Some("ann")
    }

    fn info(&self) -> Option<Bytes> {
        Some(Bytes::from_static(b"{}"))
    }

    fn may_use(&self, _: &Channel) -> bool {
        true
    }

    fn expires_at(&self) -> Option<std::time::SystemTime> {
        None
    }
}

/// A node with presence in its channels, but not in those of `quiet:`.
fn node() -> Node {
    let quiet = Namespace { name: "quiet".into(), ..Namespace::default() };
    let namespace = Namespace { tracks_presence: true, ..Namespace::default() };
    Setup { namespace, named: vec![quiet], ..Setup::default() }.memory()
}

async fn in_channel(node: &Node, name: &str) -> Vec<PresenceEntry> {
    settle().await;
    node.hub.presence.members(&channel(name)).await.unwrap()
}

/// The clients of a broker that takes its time.
#[derive(Default)]
struct Slow {
    written: Arc<Notify>,
    entered: AtomicUsize,
}

impl Presence for Slow {
    fn enter(&self, _: &Channel, _: PresenceEntry) {
        self.entered.fetch_add(1, Ordering::Relaxed);
    }

    fn entered(&self, _: &Channel) -> Option<Entered> {
        Some(Box::pin(self.written.clone().notified_owned()))
    }

    fn leave(&self, _: &Channel, _: ClientId) -> Option<PresenceEntry> {
        None
    }

    fn members(&self, _: &Channel) -> PresenceFuture<Vec<PresenceEntry>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn stats(&self, _: &Channel) -> PresenceFuture<PresenceStats> {
        Box::pin(std::future::ready(Ok(PresenceStats::default())))
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_follows_the_entry() {
    let quiet = Namespace { name: "quiet".into(), ..Namespace::default() };
    let namespace = Namespace { tracks_presence: true, ..Namespace::default() };
    let slow = Arc::new(Slow::default());
    let setup = Setup { namespace, named: vec![quiet], presence: Some(slow.clone()), ..setup() };
    let node = setup.memory();
    let client = connected(&node, "connect").await;
    client.tell(&["sub a", "sub quiet:a"]);
    settle().await;
    assert_eq!(slow.entered.load(Ordering::Relaxed), 1);
    assert_eq!(client.lines(), ["ok 3"], "others do not wait");
    slow.written.notify_waiters();
    settle().await;
    assert_eq!(client.lines(), ["ok 2"]);
    // A broker that does not answer makes it late, not lost.
    client.tell(&["sub b"]);
    settle().await;
    assert!(client.lines().is_empty());
    sleep(Limits::default().handshake).await;
    settle().await;
    assert_eq!(client.lines(), ["ok 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_is_present_with_its_token() {
    let node = node();
    let session =
        node.hub.sessions.open(&node.kind, Peer { identity: Some(Arc::new(Ann)), ..Peer::default() });
    node.hub.subscriptions.subscribe(&session, &channel("a")).await.unwrap();
    node.hub.subscriptions.subscribe(&session, &channel("quiet:a")).await.unwrap();
    let client = ClientId { node: crate::support::INCARNATION, session: session.id() };
    let info = Some(Bytes::from_static(b"{}"));
    let entry = PresenceEntry { client, user: Some("ann".into()), client_info: info, channel_info: None };
    assert_eq!(in_channel(&node, "a").await, [entry]);
    assert_eq!(in_channel(&node, "quiet:a").await, []);
    node.hub.subscriptions.unsubscribe(&session, &channel("a"));
    assert_eq!(in_channel(&node, "a").await, [], "it left by itself: without a grace");
}

#[tokio::test(start_paused = true)]
async fn an_ended_session_leaves_after_the_grace() {
    let node = node();
    let client = node.client_in(&["a", "b"]).await;
    node.hub.goodbyes.end(&client.session, &fanfare_core::Disconnect::Lost);
    sleep(Duration::from_millis(4_900)).await;
    assert_eq!(in_channel(&node, "a").await.len(), 1);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(in_channel(&node, "a").await, []);
    assert_eq!(in_channel(&node, "b").await, []);
}

#[tokio::test(start_paused = true)]
async fn each_namespace_has_its_own_grace() {
    let named = |name: &str, seconds| Namespace {
        name: name.into(),
        tracks_presence: true,
        presence_grace: Duration::from_secs(seconds),
        ..Namespace::default()
    };
    let node = Setup { named: vec![named("long", 5), named("short", 1)], ..Setup::default() }.memory();
    let client = node.client_in(&["long:a", "short:a", "short:b"]).await;
    node.hub.goodbyes.end(&client.session, &fanfare_core::Disconnect::Lost);
    sleep(Duration::from_millis(1_100)).await;
    let mut left = Vec::new();
    for name in ["long:a", "short:a", "short:b"] {
        left.push(in_channel(&node, name).await.len());
    }
    assert_eq!(left, [1, 0, 0]);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(in_channel(&node, "long:a").await, []);
}

#[tokio::test(start_paused = true)]
async fn an_entry_leaves_a_namespace_without_presence() {
    let node = node();
    let client = node.client_in(&["a"]).await;
    assert_eq!(in_channel(&node, "a").await.len(), 1);
    node.hub.settings.reload(&Limits::default(), Namespaces::default());
    node.hub.goodbyes.end(&client.session, &fanfare_core::Disconnect::Lost);
    assert_eq!(in_channel(&node, "a").await, []);
}
