//! News of clients that join and leave: to the members that asked for it, and to nobody else.

use std::{sync::Arc, time::Duration};

use fanfare_core::{
    Channel, ClientId, Disconnect, Incarnation, Limits, Namespace, Presence, Publication, Publish, Retention,
    SessionId, SlowClient,
    attributes::PresenceChange,
    presence::{Entered, OnRemoved, OnReturned, PresenceEntry, PresenceFuture, PresenceStats},
};
use fanfare_hub::{Joining, Past, View, ghosts::UNTIL_DEAD};
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::support::{Client, Framing, INCARNATION, Node, Pipe, Setup, channel, numbered, settle};

pub(crate) fn told() -> Namespace {
    Namespace { tracks_presence: true, join_leave: true, ..Namespace::default() }
}

fn node() -> Node {
    let listed = Namespace { name: "listed".into(), join_leave: false, ..told() };
    let kept = Retention { size: 10, ttl: Duration::from_secs(60) };
    let kept = Namespace { name: "kept".into(), retention: Some(kept), ..told() };
    Setup { shards: 3, namespace: told(), named: vec![listed, kept], ..Setup::default() }.memory()
}

async fn joins(client: &Client, name: &str, view: View) {
    let joining = Joining { wants_news: true, ..Joining::from(view) };
    client.hub.subscriptions.subscribe_as(&client.session, &channel(name), joining).await.unwrap();
}

/// A client that wants news of this channel, and has read that it joined itself.
pub(crate) async fn watcher(node: &Node, name: &str) -> Client {
    let client = node.client();
    joins(&client, name, View::Verbatim).await;
    settle().await;
    assert_eq!(client.lines(), [news("joined", name, &client)]);
    client
}

fn news(change: &str, name: &str, client: &Client) -> String {
    format!("{change} {name} {}", client.session.id().0)
}

fn entry(node: Incarnation, session: u64) -> PresenceEntry {
    let client = ClientId { node, session: SessionId(session) };
    PresenceEntry { client, user: None, client_info: None, channel_info: None }
}

/// News as the broker delivers it.
fn delivered(name: &str, change: PresenceChange) -> Publication {
    let Publish { channel, payload, attributes, .. } =
        Publish::news(channel(name), change, entry(INCARNATION, 77));
    Publication::new(channel, payload, None).with_attributes(attributes)
}

#[tokio::test(start_paused = true)]
async fn only_members_that_asked_get_news() {
    let node = node();
    let (watcher, plain) = (watcher(&node, "a").await, node.client_in(&["a"]).await);
    settle().await;
    let before = node.count("fanfare_deliveries_total", &[]);
    let guest = node.client_in(&["a"]).await;
    node.publish("a", "1").await.unwrap();
    settle().await;
    guest.leave("a");
    settle().await;
    let [joined, left] = ["joined", "left"].map(|change| news(change, "a", &guest));
    assert_eq!(watcher.lines(), [news("joined", "a", &plain), joined, "a 1".into(), left]);
    assert_eq!((plain.lines(), guest.lines()), (numbered("a", [1]), numbered("a", [1])));
    assert_eq!(node.count("fanfare_deliveries_total", &[]) - before, 5);
}

#[tokio::test(start_paused = true)]
async fn a_client_joins_before_its_first_publication() {
    let node = node();
    for name in ["a", "kept:a"] {
        let watcher = watcher(&node, name).await;
        let client = node.client();
        client.tell(&[format!("sub {name}"), format!("pub {name} hello"), format!("unsub {name}")]);
        settle().await;
        let [joined, left] = ["joined", "left"].map(|change| news(change, name, &client));
        assert_eq!(watcher.lines(), [joined, format!("{name} hello"), left]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_client_leaves_after_the_grace() {
    let node = node();
    let (watcher, client) = (watcher(&node, "a").await, node.client_in(&["a"]).await);
    settle().await;
    watcher.lines();
    client.end(&Disconnect::Lost);
    sleep(Duration::from_millis(4_900)).await;
    assert!(watcher.lines().is_empty());
    sleep(Duration::from_millis(200)).await;
    assert_eq!(watcher.lines(), [news("left", "a", &client)]);
}

#[tokio::test(start_paused = true)]
async fn a_held_member_gets_its_news_late() {
    let node = node();
    let client = node.client();
    joins(&client, "a", View::Held).await;
    let guest = node.client_in(&["a"]).await;
    settle().await;
    assert!(client.lines().is_empty());
    node.hub.subscriptions.release(&client.session, &channel("a"), Vec::new());
    settle().await;
    assert_eq!(client.lines(), [news("joined", "a", &client), news("joined", "a", &guest)]);
}

#[tokio::test(start_paused = true)]
async fn lists_alone_make_no_news() {
    let node = node();
    let watcher = node.client();
    joins(&watcher, "listed:a", View::Verbatim).await;
    let guest = node.client_in(&["listed:a"]).await;
    guest.leave("listed:a");
    settle().await;
    assert!(watcher.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn news_are_not_in_the_history() {
    let node = node();
    let watcher = watcher(&node, "kept:a").await;
    node.publish("kept:a", "1").await.unwrap();
    let guest = node.client_in(&["kept:a"]).await;
    node.publish("kept:a", "2").await.unwrap();
    guest.leave("kept:a");
    let late = node.client();
    let name = channel("kept:a");
    let past = node.hub.subscriptions.recover_held(&late.session, &name, Past::Last(10)).await.unwrap();
    let offsets = past.publications.iter().map(|publication| publication.position.unwrap().offset);
    assert_eq!((past.is_whole, offsets.collect::<Vec<_>>()), (true, vec![1, 2]));
    node.hub.subscriptions.release_past(&late.session, &name, past.publications).await;
    node.publish("kept:a", "3").await.unwrap();
    settle().await;
    let [joined, left] = ["joined", "left"].map(|change| news(change, "kept:a", &guest));
    let own = news("joined", "kept:a", &late);
    let lines = |range| numbered("kept:a", range);
    assert_eq!(late.lines(), lines(1..4));
    let before = [lines(1..2), vec![joined], lines(2..3), vec![left, own], lines(3..4)].concat();
    assert_eq!(watcher.lines(), before);
    assert_eq!(node.count("fanfare_history_heals_total", &[]), 0);
}

#[tokio::test(start_paused = true)]
async fn conflation_drops_no_news() {
    let limits = Limits { outbound_bytes: 1000, ..Limits::default() };
    let namespace = Namespace { slow_client: SlowClient::Conflate, ..told() };
    let (node, recorder) = Setup { limits, namespace, ..Setup::default() }.recorded();
    let slow = node.client_on(Pipe::bounded(Framing::Newline, 0));
    joins(&slow, "a", View::Verbatim).await;
    recorder.deliver("a", "0");
    recorder.deliver_all([delivered("a", PresenceChange::Joined)]);
    for number in 1..300 {
        recorder.deliver("a", number.to_string());
        settle().await;
    }
    recorder.deliver_all([delivered("a", PresenceChange::Left)]);
    settle().await;
    slow.pipe.widen();
    settle().await;
    let lines = slow.lines();
    let places = ["joined a 77", "a 299", "left a 77"].map(|line| lines.iter().position(|got| got == line));
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{lines:?}");
}

/// A list with one client of a dead node, which the first read removes.
#[derive(Default)]
pub(crate) struct Haunted {
    tell: Mutex<Option<OnRemoved>>,
    tell_returned: Mutex<Option<OnReturned>>,
    pub(crate) reads: Mutex<Vec<Channel>>,
}

impl Haunted {
    /// A node with this list.
    pub(crate) fn node() -> (Node, Arc<Self>) {
        let haunted = Arc::new(Self::default());
        let presence: Option<Arc<dyn Presence>> = Some(haunted.clone());
        (Setup { namespace: told(), presence, ..Setup::default() }.memory(), haunted)
    }
}

impl Presence for Haunted {
    fn enter(&self, _: &Channel, _: PresenceEntry) {}

    fn entered(&self, _: &Channel) -> Option<Entered> {
        None
    }

    fn leave(&self, _: &Channel, _: ClientId) -> Option<PresenceEntry> {
        None
    }

    fn on_removed(&self, removed: OnRemoved) {
        *self.tell.lock() = Some(removed);
    }

    fn on_returned(&self, returned: OnReturned) {
        *self.tell_returned.lock() = Some(returned);
    }

    fn members(&self, _: &Channel) -> PresenceFuture<Vec<PresenceEntry>> {
        unreachable!()
    }

    fn stats(&self, channel: &Channel) -> PresenceFuture<PresenceStats> {
        self.reads.lock().push(channel.clone());
        if self.reads.lock().len() == 1
            && let Some(tell) = &*self.tell.lock()
        {
            tell(channel, entry(Incarnation(9), 5));
        }
        Box::pin(std::future::ready(Ok(PresenceStats::default())))
    }
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_dead_node_leave_once() {
    let (node, haunted) = Haunted::node();
    let watcher = watcher(&node, "a").await;
    let _plain = node.client_in(&["b"]).await;
    settle().await;
    node.hub.ghosts.node_is_gone();
    sleep(UNTIL_DEAD - Duration::from_secs(1)).await;
    assert!(haunted.reads.lock().is_empty(), "the entries of a node that stopped count for a while");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(*haunted.reads.lock(), [channel("a")], "nobody wants news of the other");
    node.hub.ghosts.node_is_gone();
    sleep(UNTIL_DEAD * 2).await;
    assert_eq!(haunted.reads.lock().len(), 2);
    assert_eq!(watcher.lines(), ["left a 5"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_shown_again_joins() {
    let (node, haunted) = Haunted::node();
    let watcher = watcher(&node, "a").await;
    let tell = haunted.tell_returned.lock().take().unwrap();
    tell(&channel("a"), entry(INCARNATION, 5));
    settle().await;
    assert_eq!(watcher.lines(), ["joined a 5"]);
}

#[tokio::test(start_paused = true)]
async fn news_that_are_refused_are_counted() {
    let (node, recorder) = Setup { namespace: told(), ..Setup::default() }.recorded();
    node.client_in(&["a"]).await;
    recorder.answer(0, Err(fanfare_core::PublishError::Refused("away".into())));
    assert_eq!(node.count("fanfare_presence_news_untold_total", &[]), 1);
}
