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
