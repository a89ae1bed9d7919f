//! Events in Redis when nodes die, Redis is away or forgets, and nobody takes the events.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper of a test fails by a panic, as the test does"
)]

use std::{sync::Arc, time::Duration};

use fanfare_broker_suite::{RedisServer, TestNode, eventually};
use fanfare_core::{
    Channel, ClientId, Incarnation, SessionId,
    outbox::{ConnectionEnd, Event, MAX_EVENTS, Member},
};
use parking_lot::Mutex;

struct World {
    redis: RedisServer,
    nodes: Vec<TestNode>,
}

impl World {
    async fn of(count: usize) -> Self {
        let redis = RedisServer::start().await.unwrap();
        let mut nodes = Vec::new();
        for _ in 0..count {
            let node = TestNode::start(redis.url().parse().unwrap());
            node.is_up().await;
            node.started.backend.outbox.members_of(Box::new(|_| true));
            nodes.push(node);
        }
        Self { redis, nodes }
    }

    async fn length(&self) -> usize {
        self.redis.run(redis::cmd("XLEN").arg("fanfare!events")).await.unwrap()
    }

    /// Ends a node as a kill does: it takes nothing back.
    async fn kill(&self, node: &TestNode) {
        node.started.stop().await;
        let heartbeat = format!("fanfare!heartbeat:{}", node.incarnation);
        self.redis.run::<()>(redis::cmd("DEL").arg(heartbeat)).await.unwrap();
    }
}

/// A node that was never started, with many members in one channel.
struct Ghosts {
    world: World,
    here: Channel,
    node: String,
}

impl Ghosts {
    async fn new(members: usize) -> Self {
        let ghosts =
            Self { world: World::of(2).await, here: channel("here"), node: Incarnation(0xaa).to_string() };
        for (key, field) in [("occupying", &*ghosts.node), (&ghosts.key("occupies"), "here")] {
            ghosts.set(key, field).await;
        }
        ghosts.set("occupied:here", &ghosts.node).await;
        let fill = "for i = 1, ARGV[2] do redis.call('HSET', KEYS[1], ARGV[1] .. '-' .. i, '{}') end";
        let mut eval = redis::cmd("EVAL");
        eval.arg(fill).arg(1).arg("fanfare!presence:here").arg(&ghosts.node).arg(members);
        ghosts.world.redis.run::<()>(&eval).await.unwrap();
        ghosts
    }

    fn key(&self, kind: &str) -> String {
        format!("{kind}:{}", self.node)
    }

    async fn set(&self, key: &str, field: &str) {
        let mut set = redis::cmd("HSET");
        self.world.redis.run::<()>(set.arg(format!("fanfare!{key}")).arg(field).arg(1)).await.unwrap();
    }

    async fn bury(&self, node: usize) {
        assert_eq!(self.world.nodes[node].started.backend.outbox.bury().await, Ok(()));
    }

    /// Ends a burial once some left.
    async fn bury_half(&self) {
        tokio::select! {
            biased;
            () = self.some_left() => {}
            () = self.bury(0) => panic!("all left at once"),
        }
    }

    async fn some_left(&self) {
        while self.world.length().await == 0 {}
    }

    /// Asserts that all members left, each once, and that the channel was vacated behind them, once.
    async fn assert_buried(&self, members: usize) {
        let (outbox, mut events) = (&self.world.nodes[0].started.backend.outbox, Vec::new());
        while let waiting = outbox.next(1000, Duration::from_secs(600)).await.unwrap().unwrap()
            && let Some(last) = waiting.last
        {
            events.extend(waiting.events.into_iter().map(|event| event.event));
            outbox.remove(&last).await.unwrap();
        }
        assert_eq!(events.pop(), Some(Event::Vacated(self.here.clone())));
        assert_eq!(events.len(), members);
        let session = |event| match event {
            Event::Left(_, member) => member.client.session.0,
            other => panic!("{other:?}"),
        };
        let mut left: Vec<_> = events.into_iter().map(session).collect();
        left.sort_unstable();
        assert!((1..=members as u64).eq(left), "each once");
        let keys = ["presence:here", "occupied:here", "occupying", &self.key("occupies")];
        let mut exist = redis::cmd("EXISTS");
        exist.arg(keys.map(|key| format!("fanfare!{key}")).as_slice());
        assert_eq!(self.world.redis.run::<u64>(&exist).await, Ok(0), "nothing is left");
    }
}

fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

fn ann(node: &TestNode, session: u64) -> Member {
    Member { client: ClientId { node: node.incarnation, session: SessionId(session) }, user: "ann".into() }
}

#[tokio::test]
async fn a_dead_node_vacates_once() {
    let world = World::of(3).await;
    let [dead, one, two] = &world.nodes[..] else { panic!("three nodes") };
    let removed = Arc::new(Mutex::new(Vec::new()));
    for node in [one, two] {
        let removed = removed.clone();
        let told = move |_: &Channel, entry: fanfare_core::presence::PresenceEntry| {
            removed.lock().push(entry.client.session.0);
        };
        node.started.backend.presence.on_removed(Box::new(told));
    }
    let (alone, shared) = (channel("alone"), channel("shared"));
    dead.enters(&alone, 1);
    one.outbox_with(2).await;
    for node in [dead, one] {
        node.occupies(&shared, true);
    }
    one.outbox_with(3).await;
    dead.enters(&shared, 2);
    one.outbox_with(4).await;
    let outboxes = [one, two].map(|node| node.started.backend.outbox.clone());
    assert_eq!(outboxes[0].bury().await, Ok(()));
    assert_eq!(world.length().await, 4, "it lives");
    world.kill(dead).await;
    let (first, second) = tokio::join!(outboxes[0].bury(), outboxes[1].bury());
    assert_eq!((first, second), (Ok(()), Ok(())));
    let waiting = one.outbox_with(7).await;
    let events: Vec<_> = waiting.events.into_iter().skip(4).map(|event| event.event).collect();
    assert_eq!(events.len(), 3, "{events:?}");
    assert!(events.contains(&Event::Left(shared, ann(dead, 2))));
    let of_alone = [Event::Left(alone.clone(), ann(dead, 1)), Event::Vacated(alone)];
    let rest: Vec<_> = events.into_iter().filter(|event| of_alone.contains(event)).collect();
    assert_eq!(rest, of_alone);
    removed.lock().sort_unstable();
    assert_eq!(*removed.lock(), [1, 2], "each is told to one node");
    assert_eq!(outboxes[1].bury().await, Ok(()));
    assert_eq!(world.length().await, 7);
}

#[tokio::test]
async fn a_large_channel_is_buried_in_parts() {
    let ghosts = Ghosts::new(5000).await;
    ghosts.bury(0).await;
    let stats: String = ghosts.world.redis.run(redis::cmd("INFO").arg("commandstats")).await.unwrap();
    let calls = stats.split("cmdstat_evalsha:calls=").nth(1).and_then(|rest| rest.split(',').next());
    assert!(calls.unwrap().parse::<u32>().unwrap() >= 10, "{stats}");
    ghosts.assert_buried(5000).await;
}

#[tokio::test]
async fn a_burial_that_ended_early_goes_on() {
    let ghosts = Ghosts::new(10_000).await;
    ghosts.bury_half().await;
    // The last one of those that bury at the same time finishes it.
    tokio::join!(ghosts.bury(0), ghosts.bury(1));
    ghosts.bury(0).await;
    ghosts.assert_buried(10_000).await;
}

#[tokio::test]
async fn a_node_that_lives_is_buried_no_further() {
    let ghosts = Ghosts::new(10_000).await;
    ghosts.bury_half().await;
    let heartbeat = format!("fanfare!{}", ghosts.key("heartbeat"));
    ghosts.world.redis.run::<()>(redis::cmd("SET").arg(&heartbeat).arg(1)).await.unwrap();
    let left = ghosts.world.length().await;
    tokio::join!(ghosts.bury(0), ghosts.bury(1));
    assert_eq!(ghosts.world.length().await, left);
    ghosts.world.redis.run::<()>(redis::cmd("DEL").arg(&heartbeat)).await.unwrap();
    ghosts.bury(1).await;
    ghosts.assert_buried(10_000).await;
}

#[tokio::test]
async fn who_enters_during_a_burial_leaves() {
    let ghosts = Ghosts::new(10_000).await;
    let enters = async {
        ghosts.some_left().await;
        // As the node's own script does it: in one step.
        let enter = "for i = 10001, 10100 do redis.call('HSET', KEYS[1], ARGV[1] .. '-' .. i, '{}') end \
                     redis.call('HSET', KEYS[2], ARGV[1], 1)";
        let mut eval = redis::cmd("EVAL");
        eval.arg(enter).arg(2).arg("fanfare!presence:here").arg("fanfare!occupied:here").arg(&ghosts.node);
        ghosts.world.redis.run::<()>(&eval).await.unwrap();
    };
    tokio::join!(ghosts.bury(0), enters);
    ghosts.bury(0).await;
    ghosts.assert_buried(10_100).await;
}

#[tokio::test]
async fn a_member_found_dead_left_once() {
    let world = World::of(2).await;
    let [dead, alive] = &world.nodes[..] else { panic!("two nodes") };
    let here = channel("here");
    dead.enters(&here, 1);
    let mut expected = vec![Event::Occupied(here.clone()), Event::Joined(here.clone(), ann(dead, 1))];
    alive.told(&expected).await;
    world.kill(dead).await;
    assert_eq!(alive.started.backend.presence.members(&here).await, Ok(Vec::new()));
    expected.push(Event::Left(here.clone(), ann(dead, 1)));
    alive.told(&expected).await;
    assert_eq!(alive.started.backend.outbox.bury().await, Ok(()));
    expected.push(Event::Vacated(here));
    alive.told(&expected).await;
}

#[tokio::test]
async fn an_undone_change_makes_no_event() {
    let mut world = World::of(1).await;
    let (here, brief) = (channel("here"), channel("brief"));
    world.nodes[0].occupies(&here, true);
    world.nodes[0].told(&[Event::Occupied(here.clone())]).await;
    world.redis.kill().await.unwrap();
    for is_occupied in [true, false] {
        world.nodes[0].occupies(&brief, is_occupied);
        world.nodes[0].occupies(&here, !is_occupied);
    }
    world.nodes[0].occupies(&here, false);
    world.nodes[0].enters(&here, 1);
    world.redis.restart().await.unwrap();
    // The server forgot everything: what holds is told again.
    let expected = [Event::Occupied(here.clone()), Event::Joined(here, ann(&world.nodes[0], 1))];
    world.nodes[0].is_up().await;
    world.nodes[0].told(&expected).await;
}

#[tokio::test]
async fn what_falls_off_is_counted() {
    let world = World::of(1).await;
    let node = &world.nodes[0];
    let fill = format!(
        "for i = 1, {MAX_EVENTS} do redis.call('XADD', KEYS[1], '*', 'e', 'occupied', 'c', 'old') end"
    );
    world.redis.run::<()>(redis::cmd("EVAL").arg(fill).arg(1).arg("fanfare!events")).await.unwrap();
    node.enters(&channel("new"), 1);
    let dropped = || node.counter("fanfare_events_dropped_total", None) as u64;
    eventually("two fell off", || dropped() == 2).await;
    let client = ann(node, 1).client;
    let end = ConnectionEnd { client, user: String::new(), code: None, reason: "lost".into() };
    node.started.backend.outbox.disconnected(end);
    eventually("a third fell off", || dropped() == 3).await;
    assert_eq!(world.length().await, MAX_EVENTS);
}

#[tokio::test]
async fn the_right_to_send_expires() {
    let world = World::of(2).await;
    let [first, second] = &world.nodes[..] else { panic!("two nodes") };
    let outbox = &first.started.backend.outbox;
    assert!(outbox.next(1, Duration::from_millis(50)).await.unwrap().is_some());
    second.told(&[]).await;
    assert_eq!(outbox.next(1, Duration::from_secs(1)).await, Ok(None));
}

#[tokio::test]
async fn a_node_taken_for_dead_comes_back() {
    let world = World::of(2).await;
    let [node, other] = &world.nodes[..] else { panic!("two nodes") };
    let here = channel("here");
    node.enters(&here, 1);
    let mut expected = vec![Event::Occupied(here.clone()), Event::Joined(here.clone(), ann(node, 1))];
    other.told(&expected).await;
    // The node renews its heartbeat, so a burial has to come between.
    let heartbeat = format!("fanfare!heartbeat:{}", node.incarnation);
    while world.length().await < 4 {
        world.redis.run::<()>(redis::cmd("DEL").arg(&heartbeat)).await.unwrap();
        assert_eq!(other.started.backend.outbox.bury().await, Ok(()));
    }
    expected.extend([Event::Left(here.clone(), ann(node, 1)), Event::Vacated(here.clone())]);
    expected.extend([Event::Occupied(here.clone()), Event::Joined(here, ann(node, 1))]);
    other.told(&expected).await;
}

#[tokio::test]
async fn the_last_ends_are_written() {
    let world = World::of(2).await;
    let [leaving, other] = &world.nodes[..] else { panic!("two nodes") };
    let client = ann(leaving, 1).client;
    let end = ConnectionEnd { client, user: "ann".into(), code: Some(3001), reason: "shutdown".into() };
    leaving.started.backend.outbox.disconnected(end.clone());
    leaving.started.stop().await;
    other.told(&[Event::Disconnected(end)]).await;
}
