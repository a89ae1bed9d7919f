//! Presence in Redis when nodes die and Redis forgets.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by a panic, as the test does")]

use std::{sync::Arc, time::Duration};

use fanfare_broker_suite::{PATIENCE, RedisServer, TestNode, eventually};
use fanfare_core::{Channel, ClientId, SessionId, presence::PresenceEntry};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};

struct Room {
    redis: RedisServer,
    node: TestNode,
    channel: Channel,
}

impl Room {
    async fn new() -> Self {
        let redis = RedisServer::start().await.unwrap();
        let node = TestNode::start(redis.url().parse().unwrap());
        node.is_up().await;
        Self { redis, node, channel: Channel::new("room").unwrap() }
    }

    fn enter(&self, session: u64) -> ClientId {
        let client = ClientId { node: self.node.incarnation, session: SessionId(session) };
        let entry = PresenceEntry { client, user: None, client_info: None, channel_info: None };
        self.node.started.backend.presence.enter(&self.channel, entry);
        client
    }

    async fn members(&self) -> Option<Vec<ClientId>> {
        let members = self.node.started.backend.presence.members(&self.channel).await.ok()?;
        Some(members.iter().map(|entry| entry.client).collect())
    }

    async fn shows(&self, expected: &[ClientId]) {
        let wait = async {
            while self.members().await.as_deref() != Some(expected) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(timeout(PATIENCE, wait).await.is_ok(), "{:?}, not {expected:?}", self.members().await);
    }

    fn key(&self, kind: &str) -> String {
        format!("fanfare!{kind}:{}", self.node.incarnation)
    }

    /// Waits until Redis has these keys.
    async fn has(&self, keys: [&str; 2]) {
        let wait = async {
            while self.redis.run::<u64>(redis::cmd("EXISTS").arg(&keys)).await.unwrap() < 2 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(timeout(PATIENCE, wait).await.is_ok(), "{keys:?} are missing");
    }

    async fn in_redis(&self) -> usize {
        self.redis.run(redis::cmd("HLEN").arg("fanfare!presence:room")).await.unwrap()
    }
}

#[tokio::test]
async fn entries_of_a_dead_node_are_removed() {
    let room = Room::new().await;
    let here = room.enter(1);
    room.shows(&[here]).await;
    let mut set = redis::cmd("HSET");
    set.arg("fanfare!presence:room").arg("00000000000000aa-1").arg("{}").arg("nonsense").arg("{}");
    room.redis.run::<()>(&set).await.unwrap();
    assert_eq!(room.in_redis().await, 3);
    room.shows(&[here]).await;
    assert_eq!(room.in_redis().await, 2, "the entry of the node without a heartbeat is gone");
}

#[tokio::test]
async fn a_redis_that_forgot_gets_all_entries_again() {
    let mut room = Room::new().await;
    let clients = [room.enter(1), room.enter(2)];
    room.shows(&clients).await;
    room.redis.restart().await.unwrap();
    room.node.is_up().await;
    room.shows(&clients).await;
}

#[tokio::test]
async fn changes_while_redis_is_away_are_late() {
    let mut room = Room::new().await;
    let (first, second) = (room.enter(1), room.enter(2));
    room.shows(&[first, second]).await;
    room.redis.kill().await.unwrap();
    room.node.started.backend.presence.leave(&room.channel, first);
    let third = room.enter(3);
    room.redis.restart().await.unwrap();
    room.shows(&[second, third]).await;
}

#[tokio::test]
async fn one_of_two_readers_tells_each_entry() {
    let room = Room::new().await;
    let other = TestNode::start(room.redis.url().parse().unwrap());
    other.is_up().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let readers = [&room.node, &other].map(|node| node.started.backend.presence.clone());
    for presence in &readers {
        let told = told.clone();
        presence.on_removed(Box::new(move |channel, entry| {
            told.lock().push((channel.clone(), entry.client.session.0, entry.user));
        }));
    }
    let mut set = redis::cmd("HSET");
    set.arg("fanfare!presence:room");
    for session in 0..2000 {
        set.arg(format!("00000000000000aa-{session}")).arg(r#"{"user":"ann"}"#);
    }
    room.redis.run::<()>(&set).await.unwrap();
    let [first, second] = readers.map(|presence| presence.members(&room.channel));
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.unwrap(), second.unwrap()), (Vec::new(), Vec::new()));
    let mut told = std::mem::take(&mut *told.lock());
    told.sort_by_key(|(_, session, _)| *session);
    let all = (0..2000).map(|session| (room.channel.clone(), session, Some("ann".to_owned())));
    assert!(all.eq(told), "each once");
    assert_eq!(room.in_redis().await, 0);
}

#[tokio::test]
async fn a_client_that_leaves_returns_its_entry() {
    let room = Room::new().await;
    let client = room.enter(1);
    let presence = &room.node.started.backend.presence;
    let left = presence.leave(&room.channel, client);
    assert_eq!(left.map(|entry| entry.client), Some(client));
    assert_eq!(presence.leave(&room.channel, client), None);
}

#[tokio::test]
async fn nobody_waits_for_refused_entries() {
    let room = Room::new().await;
    let first = room.enter(1);
    room.shows(&[first]).await;
    let acl = async |rule| {
        let mut acl = redis::cmd("ACL");
        room.redis.run::<()>(acl.arg("SETUSER").arg("default").arg(rule)).await.unwrap();
    };
    let entered = || room.node.started.backend.presence.entered(&room.channel);
    acl("-hset").await;
    let second = room.enter(2);
    if let Some(entered) = entered() {
        assert!(timeout(PATIENCE, entered).await.is_ok(), "the first one waits for the refusal");
    }
    assert!(entered().is_none());
    let third = room.enter(3);
    assert!(entered().is_none(), "Redis refuses it too");
    acl("+hset").await;
    room.shows(&[first, second, third]).await;
    let enters_again = || {
        room.enter(4);
        entered()
    };
    eventually("it is waited for again", || enters_again().is_some()).await;
}

/// A node that stood still for so long that its heartbeat expired, while another one read.
#[tokio::test]
async fn a_node_taken_for_dead_is_shown_again() {
    let room = Room::new().await;
    let other = TestNode::start(room.redis.url().parse().unwrap());
    other.is_up().await;
    let here = room.enter(1);
    let there = ClientId { node: other.incarnation, ..here };
    let entry = PresenceEntry { client: there, user: None, client_info: None, channel_info: None };
    other.started.backend.presence.enter(&room.channel, entry);
    let mut both = [here, there];
    both.sort_unstable();
    room.shows(&both).await;
    let mut expire = redis::cmd("DEL");
    expire.arg(format!("fanfare!heartbeat:{}", room.node.incarnation));
    // The node renews its heartbeat, so a read has to come between.
    while room.in_redis().await == 2 {
        room.redis.run::<()>(&expire).await.unwrap();
        other.started.backend.presence.members(&room.channel).await.unwrap();
    }
    room.shows(&both).await;
}

/// As above, where others were told that the clients left.
async fn clients_of_a_node_return(makes_events: bool) {
    let room = Room::new().await;
    let other = TestNode::start(room.redis.url().parse().unwrap());
    other.is_up().await;
    let (removed, returned) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    for node in [&room.node, &other] {
        node.started.backend.outbox.members_of(Box::new(move |_| makes_events));
        let removed = removed.clone();
        let tell = move |_: &Channel, entry: PresenceEntry| removed.lock().push(entry.client);
        node.started.backend.presence.on_removed(Box::new(tell));
    }
    let told = returned.clone();
    let tell = move |_: &Channel, entry: PresenceEntry| told.lock().push(entry.client);
    room.node.started.backend.presence.on_returned(Box::new(tell));
    let (heartbeat, remembered) = (room.key("heartbeat"), room.key("remembered"));
    let clients = [room.enter(1), room.enter(2)];
    room.has([&heartbeat, &remembered]).await;
    room.shows(&clients).await;
    room.redis.run::<()>(&redis::cmd("FLUSHALL")).await.unwrap();
    room.has([&heartbeat, &remembered]).await;
    room.shows(&clients).await;
    assert_eq!((removed.lock().len(), returned.lock().len()), (0, 0), "a Redis that forgot told nobody");
    // The node renews its heartbeat, so a read has to come between.
    let wait = async {
        while returned.lock().is_empty() {
            room.redis.run::<()>(redis::cmd("DEL").arg(&heartbeat)).await.unwrap();
            other.started.backend.presence.members(&room.channel).await.unwrap();
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "nobody is told that they are back");
    let sorted = |told: &Mutex<Vec<ClientId>>| {
        let mut told = told.lock().clone();
        told.sort_unstable();
        told
    };
    eventually("each is told as often as it was removed", || sorted(&removed) == sorted(&returned)).await;
    room.shows(&clients).await;
}

#[tokio::test]
async fn clients_shown_again_are_told() {
    clients_of_a_node_return(false).await;
}

#[tokio::test]
async fn clients_shown_again_are_told_beside_events() {
    clients_of_a_node_return(true).await;
}
