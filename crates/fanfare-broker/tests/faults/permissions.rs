//! The rights that a node needs: the user in docs/redis.md has all of them, and each one that is missing is named.

use std::time::Duration;

use fanfare_broker_suite::{PATIENCE, RedisServer, TestNode, eventually};
use fanfare_core::{
    ClientId, Payload, Publish, PublishError, Retention, SessionId, Taken,
    broker::{BrokerState, Interruption, Recipient},
    history::Range,
};

use crate::support::{Log, assert_restored, channel};

const DOCS: &str = include_str!("../../../../docs/redis.md");

/// The rules of the user in the docs.
fn documented() -> Vec<&'static str> {
    let (_, after) = DOCS.split_once("ACL SETUSER fanfare ").unwrap();
    after.split("```").next().unwrap().split_whitespace().collect()
}

/// A node that logs in as the documented user, without some of its rights.
async fn node_without(server: &RedisServer, rights: &[&str]) -> TestNode {
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg("fanfare");
    for rule in documented().into_iter().filter(|rule| !rights.contains(rule)) {
        acl.arg(rule);
    }
    let () = server.run(&acl).await.unwrap();
    let url = format!("redis://fanfare:PASSWORD@127.0.0.1:{}", server.port());
    TestNode::start(url.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_user_has_every_right() {
    let server = RedisServer::start().await.unwrap();
    let node = node_without(&server, &[]).await;
    node.is_up().await;
    let (channel, given_up) = (channel("räume:1"), channel("given-up"));
    node.subscribe(&channel).await.unwrap();
    node.subscribe(&given_up).await.unwrap();
    node.broker().unsubscribe(&given_up);
    let registry = &node.started.registry;
    registry.announce(&node.info("a")).await.unwrap();
    assert_eq!(registry.nodes().await.unwrap().len(), 1);
    node.control(Recipient::All, "hello");
    node.control(Recipient::Node(node.incarnation), "hello");
    eventually("control messages come", || node.recorder.controls().len() == 2).await;
    for _ in 0..2 {
        kept(&node).await.unwrap();
    }
    let history = &node.started.backend.history;
    let kept_in = self::channel("kept");
    assert_eq!(history.read(&kept_in, ALL).await.unwrap().top.offset, 2);
    assert_eq!(history.read(&kept_in, NEWEST).await.unwrap().publications.len(), 2);
    assert_eq!(history.tops(std::slice::from_ref(&kept_in)).await.unwrap().len(), 1);
    history.remove(&kept_in).await.unwrap();
    uses_the_outbox(&server, &node).await;
    // Another node publishes on the same channel.
    let other = node_without(&server, &[]).await;
    other.is_up().await;
    assert_eq!(kept(&other).await.unwrap().position.unwrap().offset, 3);
    other.started.stop().await;
    for kind in ["normal", "pubsub"] {
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg(kind).arg("SKIPME").arg("yes");
        let _killed: usize = server.run(&kill).await.unwrap();
        assert_restored(&node, &node, &channel).await;
    }
    // A channel lingers before it is given up.
    let mut subscribed = redis::cmd("PUBSUB");
    subscribed.arg("NUMSUB").arg("fanfare:given-up");
    while server.run::<(String, usize)>(&subscribed).await.unwrap().1 > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    registry.withdraw().await.unwrap();
    node.started.stop().await;
    let log: Vec<redis::Value> = server.run(redis::cmd("ACL").arg("LOG")).await.unwrap();
    assert!(log.is_empty(), "{log:?}");
    assert_eq!(node.counter("fanfare_redis_unfenced_reconnects_total", None), 0.0);
}

/// Makes events, those about a dead node too, and takes them.
async fn uses_the_outbox(server: &RedisServer, node: &TestNode) {
    let outbox = &node.started.backend.outbox;
    outbox.members_of(Box::new(|_| true));
    let here = channel("here");
    node.enters(&here, 1);
    node.occupies(&here, true);
    node.outbox_with(2).await;
    for (key, field) in [("occupying", "aa"), ("occupies:00000000000000aa", "left"), ("occupied:left", "aa")]
    {
        let field = field.replace("aa", "00000000000000aa");
        let mut set = redis::cmd("HSET");
        set.arg(format!("fanfare!{key}")).arg(field).arg(1);
        server.run::<()>(&set).await.unwrap();
    }
    outbox.bury().await.unwrap();
    node.started.backend.presence.leave(&here, ClientId { node: node.incarnation, session: SessionId(1) });
    let last = node.outbox_with(4).await.last.unwrap();
    assert_eq!(outbox.remove(&last).await, Ok(0));
    outbox.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_rights_events_wait() {
    let server = RedisServer::start().await.unwrap();
    for right in ["+eval", "+xlen", "+xrange", "+set"] {
        let node = node_without(&server, &[right]).await;
        let outbox = &node.started.backend.outbox;
        let wait = async {
            loop {
                match outbox.next(1, Duration::from_secs(1)).await {
                    Err(error) if error.to_string().contains("NOPERM") => return error.to_string(),
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let error = tokio::time::timeout(PATIENCE, wait).await.unwrap();
        assert!(error.contains("docs/redis.md"), "{right}: {error}");
        node.started.stop().await;
    }
}

const ALL: Range = Range::After { offset: 0, limit: 10 };
const NEWEST: Range = Range::Before { offset: None, limit: 10 };

/// Publishes with history and an idempotency key that was not used yet.
async fn kept(node: &TestNode) -> Result<Taken, PublishError> {
    let retention = Retention { size: 10, ttl: Duration::from_secs(60) };
    let publish = Publish::new(channel("kept"), Payload::text("x")).kept(Some(retention));
    node.hand_over(publish.once(rand::random::<u64>().to_string())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_rights_history_alone_is_refused() {
    let server = RedisServer::start().await.unwrap();
    for right in ["+script|load", "+evalsha", "+hmget", "+hset", "+xadd", "+get", "~fanfare!*"] {
        let node = node_without(&server, &[right]).await;
        node.is_up().await;
        let error = kept(&node).await.unwrap_err();
        assert!(matches!(error, PublishError::Refused(_)), "{right}: {error}");
        let sentence = error.to_string();
        assert!(
            sentence.contains("docs/redis.md") || sentence.contains("permit script|load"),
            "{right}: {sentence}"
        );
        node.publish_text(&channel("kept"), "relayed").await.unwrap();
        node.started.stop().await;
    }
    for (right, range) in [("+eval", ALL), ("+hmget", ALL), ("+xrange", ALL), ("+xrevrange", NEWEST)] {
        let all = node_without(&server, &[]).await;
        all.is_up().await;
        kept(&all).await.unwrap();
        all.started.stop().await;
        let node = node_without(&server, &[right]).await;
        node.is_up().await;
        let error = node.started.backend.history.read(&channel("kept"), range).await.unwrap_err().to_string();
        assert!(error.contains("NOPERM") && error.contains("docs/redis.md"), "{right}: {error}");
        node.started.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_channel_keeps_nothing() {
    let server = RedisServer::start().await.unwrap();
    let node = node_without(&server, &["&fanfare:*"]).await;
    node.is_up().await;
    let once = || node.hand_over(Publish::new(channel("kept"), Payload::text("x")).once("key"));
    for answered in [kept(&node).await, once().await.unwrap(), once().await.unwrap()] {
        assert!(matches!(answered, Err(PublishError::Forbidden(_))), "{answered:?}");
    }
    let page = node.started.backend.history.read(&channel("kept"), ALL).await.unwrap();
    assert_eq!((page.top.offset, page.publications.len()), (0, 0));
}

#[tokio::test]
async fn without_the_time_messages_are_not_timed() {
    let server = RedisServer::start().await.unwrap();
    let node = node_without(&server, &["+time"]).await;
    node.is_up().await;
    let channel = channel("untimed");
    node.subscribe(&channel).await.unwrap();
    let refused = || node.counter("fanfare_redis_errors_total", Some("NOPERM"));
    eventually("the time is asked and refused", || refused() >= 2.0).await;
    node.publish_text(&channel, "hello").await.unwrap();
    eventually("it comes", || node.recorder.count(&channel) == 1).await;
    assert_eq!(node.recorder.published(&channel), [None]);
    assert_eq!(node.broker().overall_state(), BrokerState::Up);
    // Once it is permitted, messages are timed at once.
    let () = server.run(redis::cmd("ACL").arg("SETUSER").arg("fanfare").arg("+time")).await.unwrap();
    let asked = node.counter("fanfare_redis_commands_total", Some("time"));
    let is_timed = || node.recorder.published(&channel).last().is_some_and(Option::is_some);
    while !is_timed() {
        let count = node.recorder.count(&channel);
        node.publish_text(&channel, "hello").await.unwrap();
        eventually("it comes", || node.recorder.count(&channel) > count).await;
    }
    assert!(node.counter("fanfare_redis_commands_total", Some("time")) > asked);
}

#[tokio::test]
async fn only_a_forbidden_channel_is_told_a_loss() {
    let server = RedisServer::start().await.unwrap();
    let node = node_without(&server, &[]).await;
    let other = TestNode::start(server.url().parse().unwrap());
    node.is_up().await;
    other.is_up().await;
    let [kept, lost] = ["kept", "lost"].map(channel);
    for channel in [&kept, &lost] {
        node.subscribe(channel).await.unwrap();
    }
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg("fanfare").arg("resetchannels").arg("&fanfare!*").arg("&fanfare:kept");
    let () = server.run(&acl).await.unwrap();
    eventually("Redis ended the connection, and there is a new one", || {
        node.recorder.outages().outages.len() == 1
    })
    .await;
    assert_restored(&other, &node, &kept).await;
    other.publish_text(&lost, "nobody hears it").await.unwrap();
    assert_eq!(node.recorder.outages().missed, []);
    let () = server.run(redis::cmd("ACL").arg("SETUSER").arg("fanfare").arg("&fanfare:*")).await.unwrap();
    eventually("it is told", || node.recorder.outages().missed == [lost.clone()]).await;
    for channel in [&kept, &lost] {
        assert_restored(&other, &node, channel).await;
    }
    assert_eq!(node.recorder.texts(&lost), ["restored"]);
    assert_eq!(node.recorder.outages().causes, [Interruption::Lost]);
    assert_eq!(node.recorder.outages().missed, [lost]);
}

#[tokio::test]
async fn each_right_that_is_missing_is_named() {
    let server = RedisServer::start().await.unwrap();
    let rows: [(&[&str], &str, BrokerState); 18] = [
        (&["+publish"], "to PUBLISH on this node's own channels", BrokerState::Away),
        (&["+subscribe"], "NOPERM to SUBSCRIBE", BrokerState::Deaf),
        (&["+unsubscribe"], "NOPERM to UNSUBSCRIBE", BrokerState::Up),
        (&["&fanfare!*"], "NOPERM to SUBSCRIBE", BrokerState::Away),
        (&["&fanfare:*"], "forbids this node to subscribe", BrokerState::Up),
        (&["+info"], "to INFO server: two servers", BrokerState::Up),
        (&["+set"], "to SET of fanfare!heartbeat", BrokerState::Up),
        (&["~fanfare!*"], "to SET of fanfare!heartbeat", BrokerState::Up),
        (&["+client|info"], "to CLIENT INFO", BrokerState::Up),
        (&["+client|kill"], "to CLIENT KILL", BrokerState::Up),
        (&["+time"], "to TIME: relay latency is not measured", BrokerState::Up),
        (
            &["+time"],
            "to TIME (permit the commands and keys in docs/redis.md to this user); nodes may not see one another",
            BrokerState::Up,
        ),
        (&["+zadd"], "ZADD", BrokerState::Up),
        (&["+zremrangebyscore"], "ZREMRANGEBYSCORE", BrokerState::Up),
        (&["+expire"], "EXPIRE", BrokerState::Up),
        (&["+zrange"], "ZRANGE", BrokerState::Up),
        (&["+mget"], "MGET", BrokerState::Up),
        (&["+del"], "DEL", BrokerState::Up),
    ];
    for (rights, named, state) in rows {
        let (log, _guard) = Log::start();
        let node = node_without(&server, rights).await;
        eventually(&format!("{rights:?}: {state:?}"), || node.broker().overall_state() == state).await;
        // Their failure is expected.
        let _ = node.started.registry.announce(&node.info("a")).await;
        let _ = node.started.registry.withdraw().await;
        drop(node.broker().subscribe(&channel("a")));
        node.broker().unsubscribe(&channel("a"));
        eventually(&format!("{rights:?} is named"), || log.count(named) > 0).await;
        assert!(log.count("PASSWORD") == 0);
        node.started.stop().await;
    }
}
