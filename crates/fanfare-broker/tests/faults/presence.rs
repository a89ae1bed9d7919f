//! Entries of presence that Redis refuses.

use std::time::Duration;

use fanfare_broker_suite::{PATIENCE, RedisServer, TestNode, eventually};
use fanfare_core::{Channel, outbox::Event};
use tokio::time::{sleep, timeout};

use crate::support::{Log, channel, config};

const FAILURES: &str = "fanfare_redis_presence_failures_total";

async fn node(server: &RedisServer) -> TestNode {
    let node = TestNode::start(config(server.port()));
    node.is_up().await;
    node
}

/// Waits until a channel has as many members.
async fn shows(node: &TestNode, channel: &Channel, count: u64) {
    let wait = async {
        while !node.started.backend.presence.stats(channel).await.is_ok_and(|stats| stats.clients == count) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "{channel} has other members");
}

#[tokio::test]
async fn a_wrong_key_costs_its_channel_alone() {
    let (log, _guard) = Log::start();
    let server = RedisServer::start().await.unwrap();
    let node = node(&server).await;
    let [wrong, right, later] = ["a-wrong", "right", "right-later"].map(channel);
    let key = "fanfare!presence:a-wrong";
    server.run::<()>(redis::cmd("SET").arg(key).arg("of another program")).await.unwrap();
    for session in 0..600 {
        node.enters(&wrong, session);
    }
    node.enters(&right, 1);
    if let Some(entered) = node.started.backend.presence.entered(&wrong) {
        assert!(timeout(PATIENCE, entered).await.is_ok(), "nobody waits for it for long");
    }
    shows(&node, &right, 1).await;
    eventually("it is tried again", || node.counter(FAILURES, None) >= 3.0).await;
    node.enters(&wrong, 600);
    node.enters(&later, 1);
    shows(&node, &later, 1).await;
    assert_eq!(log.count("key fanfare!presence:a-wrong is not a hash"), 1);
    server.run::<()>(redis::cmd("DEL").arg(key)).await.unwrap();
    shows(&node, &wrong, 601).await;
    assert_eq!(log.count("key fanfare!presence:a-wrong is not a hash"), 1);
}

#[tokio::test]
async fn a_wrong_key_delays_members_alone() {
    // A warning that a thread without a log meets first would be in no log.
    let _log = Log::start();
    let server = RedisServer::start().await.unwrap();
    let node = node(&server).await;
    node.started.backend.outbox.members_of(Box::new(|_| true));
    let [wrong, right] = ["a-wrong", "right"].map(channel);
    let key = "fanfare!presence:a-wrong";
    server.run::<()>(redis::cmd("SET").arg(key).arg("of another program")).await.unwrap();
    let mut expected = vec![Event::Occupied(wrong.clone())];
    node.enters(&wrong, 1);
    node.told(&expected).await;
    node.enters(&right, 2);
    expected.extend([Event::Occupied(right.clone()), Event::Joined(right.clone(), node.member(2))]);
    node.told(&expected).await;
    server.run::<()>(redis::cmd("DEL").arg(key)).await.unwrap();
    expected.push(Event::Joined(wrong.clone(), node.member(1)));
    node.told(&expected).await;
    // A node that dies meanwhile leaves its channels all the same.
    server.run::<()>(redis::cmd("SET").arg(key).arg("of another program")).await.unwrap();
    node.started.backend.outbox.release().await.unwrap();
    node.started.stop().await;
    let heartbeat = format!("fanfare!heartbeat:{}", node.incarnation);
    server.run::<()>(redis::cmd("DEL").arg(heartbeat)).await.unwrap();
    let other = self::node(&server).await;
    other.started.backend.outbox.bury().await.unwrap();
    let events: Vec<_> = other.outbox_with(7).await.events.into_iter().map(|event| event.event).collect();
    assert_eq!(events[..4], expected);
    for event in [Event::Vacated(wrong), Event::Left(right.clone(), node.member(2)), Event::Vacated(right)] {
        assert!(events[4..].contains(&event), "{events:?}");
    }
}

#[tokio::test]
async fn refused_entries_hold_up_no_others() {
    let (log, _guard) = Log::start();
    let server = RedisServer::start().await.unwrap();
    let node = node(&server).await;
    let [refused, permitted] = ["a-refused", "permitted"].map(channel);
    let keys = async |rules: &[&str]| {
        let mut acl = redis::cmd("ACL");
        server.run::<()>(acl.arg("SETUSER").arg("default").arg(rules)).await.unwrap();
    };
    keys(&["resetkeys", "~fanfare!h*", "~fanfare!present:*", "~fanfare!presence:permitted"]).await;
    for session in 0..1200 {
        node.enters(&refused, session);
    }
    node.enters(&permitted, 1);
    shows(&node, &permitted, 1).await;
    eventually("it is tried again", || node.counter(FAILURES, None) >= 3.0).await;
    assert_eq!(log.count("NOPERM to HSET"), 1);
    keys(&["allkeys"]).await;
    shows(&node, &refused, 1200).await;
}

/// A Redis without free memory refuses new entries, and may run for long so.
#[tokio::test]
async fn refused_clients_that_left_are_forgotten() {
    let _log = Log::start();
    let server = RedisServer::start().await.unwrap();
    let node = node(&server).await;
    node.started.backend.outbox.members_of(Box::new(|channel| channel.as_str() == "told"));
    let [told, quiet] = ["told", "quiet"].map(channel);
    let enters = |session| [&told, &quiet].map(|channel| node.enters(channel, session));
    let presence = &node.started.backend.presence;
    let leaves =
        |session| [&told, &quiet].map(|channel| presence.leave(channel, node.member(session).client));
    let memory = async |bytes: &str| {
        let mut set = redis::cmd("CONFIG");
        server.run::<()>(set.arg("SET").arg("maxmemory").arg(bytes)).await.unwrap();
    };
    let is_tried = async || {
        let before = node.counter(FAILURES, None);
        eventually("it is tried again", || node.counter(FAILURES, None) >= before + 2.0).await;
    };
    enters(1);
    let mut expected = vec![Event::Occupied(told.clone()), Event::Joined(told.clone(), node.member(1))];
    node.told(&expected).await;
    memory("1").await;
    enters(2);
    for sessions in [100..200, 200..300] {
        sessions.clone().for_each(|session| _ = enters(session));
        is_tried().await;
        sessions.for_each(|session| _ = leaves(session));
    }
    leaves(1);
    is_tried().await;
    server.run::<()>(redis::cmd("CONFIG").arg("RESETSTAT")).await.unwrap();
    memory("0").await;
    expected.extend([Event::Joined(told.clone(), node.member(2)), Event::Left(told.clone(), node.member(1))]);
    node.told(&expected).await;
    shows(&node, &quiet, 1).await;
    let stats: String = server.run(redis::cmd("INFO").arg("commandstats")).await.unwrap();
    for command in ["hdel", "hmget"] {
        let calls = stats.split(&format!("cmdstat_{command}:calls=")).nth(1);
        let calls = calls.and_then(|rest| rest.split(',').next()).map_or(0, |calls| calls.parse().unwrap());
        assert!(calls < 100, "{command}: {calls} times");
    }
}
