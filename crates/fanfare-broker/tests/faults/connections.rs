//! Connections that are killed, refused and cut.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::support::{FakeRedis, Outcomes, Proxy, assert_restored, channel, config, delivered, publish};
use fanfare_broker::{BrokerConfig, Prefix};
use fanfare_broker_suite::{RedisServer, TestNode, eventually};
use fanfare_core::{
    Channel, Limits, Payload, PublishError, SubscribeError, Taken,
    broker::{BrokerState, Interruption, PublishOrder},
};
use tokio::time::sleep;

const RECONNECTS: &str = "fanfare_redis_reconnects_total";
const UNFENCED: &str = "fanfare_redis_unfenced_reconnects_total";

async fn up(config: BrokerConfig) -> TestNode {
    let node = TestNode::start(config);
    node.is_up().await;
    node
}

fn patient(publish_wait: Duration) -> Limits {
    Limits { publish_wait, ..Limits::default() }
}

/// Publishes while connections of one type are killed again and again.
async fn publish_while_killing(
    server: &RedisServer,
    node: &TestNode,
    channel: &Channel,
    kind: &str,
) -> Outcomes {
    let mut answers = Vec::new();
    for round in 0..30 {
        answers.extend(publish(node, channel, round * 300..round * 300 + 300));
        sleep(Duration::from_millis(3)).await;
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg(kind).arg("SKIPME").arg("yes");
        let _killed: usize = server.run(&kill).await.unwrap();
        if round % 5 == 0 {
            node.is_up().await;
        }
    }
    Outcomes::of(answers).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_publisher_repeats_nothing() {
    let server = RedisServer::start().await.unwrap();
    let (publisher, subscriber) = (up(config(server.port())).await, up(config(server.port())).await);
    let channel = channel("kill");
    subscriber.subscribe(&channel).await.unwrap();
    let outcomes = publish_while_killing(&server, &publisher, &channel, "normal").await;
    assert_restored(&publisher, &subscriber, &channel).await;
    let delivered: HashSet<_> = delivered(&subscriber, &channel).into_iter().collect();
    // The connection of the subscriber was not killed, so it got exactly what Redis took.
    assert!(outcomes.taken.is_subset(&delivered), "a taken publication was lost");
    assert!(outcomes.refused.is_disjoint(&delivered), "a refused publication was delivered");
    assert!(!outcomes.taken.is_empty());
    assert!(publisher.counter(RECONNECTS, Some("publisher")) > 0.0);
    assert_eq!(publisher.counter(UNFENCED, None), 0.0);
    let publishes = |result| publisher.counter("fanfare_broker_publish_duration_seconds", Some(result));
    assert_eq!(publishes("taken"), outcomes.taken.len() as f64 + 1.0);
    assert_eq!(publishes("unknown"), outcomes.unknown.len() as f64);
    let commands = publisher.counter("fanfare_redis_commands_total", Some("publish"));
    assert_eq!(commands, publishes("taken") + publishes("unknown"), "refused messages were not sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_subscriber_gets_its_subscriptions_back() {
    let server = RedisServer::start().await.unwrap();
    let (publisher, subscriber) = (up(config(server.port())).await, up(config(server.port())).await);
    let channel = channel("kill");
    subscriber.subscribe(&channel).await.unwrap();
    let others: Vec<_> = (0..2500).map(|number| self::channel(&format!("other-{number}"))).collect();
    let confirmed: Vec<_> = others.iter().map(|other| subscriber.broker().subscribe(other)).collect();
    for confirmed in confirmed {
        confirmed.await.unwrap();
    }
    let outcomes = publish_while_killing(&server, &publisher, &channel, "pubsub").await;
    assert_eq!(outcomes.taken.len(), 9000, "the publisher was not killed");
    assert_restored(&publisher, &subscriber, &channel).await;
    for other in &others {
        publisher.publish_text(other, "restored").await.unwrap();
    }
    for other in &others {
        eventually("every channel is restored", || subscriber.recorder.count(other) == 1).await;
    }
    delivered(&subscriber, &channel);
    let outages = subscriber.recorder.outages();
    assert!(outages.causes.iter().all(|cause| matches!(cause, Interruption::Lost | Interruption::Deaf)));
    assert!(!outages.causes.is_empty() && outages.causes.len() == outages.outages.len());
    assert_eq!(subscriber.counter("fanfare_redis_subscription_mismatches_total", None), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_taken_of_an_order_are_a_prefix() {
    let server = RedisServer::start().await.unwrap();
    let (publisher, subscriber) = (up(config(server.port())).await, up(config(server.port())).await);
    for round in 0..20 {
        let channel = channel(&format!("order-{round}"));
        subscriber.subscribe(&channel).await.unwrap();
        let order = Arc::new(PublishOrder::default());
        let mut answers = Vec::new();
        for number in 0..600 {
            let payload = Payload::text(number.to_string());
            answers.push((number, publisher.publish(&channel, payload, Some(&order))));
            if number == 300 {
                let mut kill = redis::cmd("CLIENT");
                kill.arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes");
                let _killed: usize = server.run(&kill).await.unwrap();
            }
        }
        Outcomes::of(answers).await;
        publisher.is_up().await;
        assert_restored(&publisher, &subscriber, &channel).await;
        let delivered = delivered(&subscriber, &channel);
        assert_eq!(delivered, (0..delivered.len()).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_was_away_is_found_again() {
    let mut server = RedisServer::start().await.unwrap();
    let limits = patient(Duration::from_millis(200));
    let publisher = TestNode::with_limits(config(server.port()), limits);
    let subscriber = up(config(server.port())).await;
    publisher.is_up().await;
    let channel = channel("away");
    subscriber.subscribe(&channel).await.unwrap();
    publisher.publish_text(&channel, "0").await.unwrap();
    // Redis answers the publisher first. A Redis that is killed in between delivers nothing.
    eventually("it is delivered", || subscriber.recorder.count(&channel) == 1).await;
    server.kill().await.unwrap();
    eventually("it is noticed", || publisher.broker().overall_state() != BrokerState::Up).await;
    // The first may still be written, where only the other connection noticed. Then its outcome is unknown.
    assert!(publisher.publish_text(&channel, "first").await.is_err());
    let away = Outcomes::of(publish(&publisher, &channel, 1..100)).await;
    assert_eq!(away.refused.len(), 99, "nothing was written, and nothing waits for ever");
    let late = subscribe_while_away(&subscriber).await;
    server.restart().await.unwrap();
    late.await.unwrap().unwrap();
    assert_restored(&publisher, &subscriber, &channel).await;
    assert_eq!(delivered(&subscriber, &channel), [0]);
}

/// A subscription that is asked for now and waits.
async fn subscribe_while_away(node: &TestNode) -> tokio::task::JoinHandle<Result<(), SubscribeError>> {
    let subscribed = node.broker().subscribe(&channel("late"));
    let waiting = tokio::spawn(subscribed);
    sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    waiting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_absence_costs_no_unwritten_message() {
    let mut server = RedisServer::start().await.unwrap();
    let publisher = TestNode::with_limits(config(server.port()), patient(Duration::from_secs(30)));
    publisher.is_up().await;
    server.kill().await.unwrap();
    eventually("it is noticed", || publisher.broker().overall_state() != BrokerState::Up).await;
    let channel = channel("short");
    // Where only the other connection noticed, the first is still written. Its outcome is unknown, and soon told.
    let first = publisher.publish_text(&channel, "first");
    assert_ne!(tokio::time::timeout(Duration::from_millis(300), first).await, Ok(Ok(())));
    let answers = publish(&publisher, &channel, 0..1000);
    server.restart().await.unwrap();
    assert_eq!(Outcomes::of(answers).await.taken.len(), 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_away_at_start_is_waited_for() {
    let mut server = RedisServer::prepare(&[]).unwrap();
    let node = TestNode::start(config(server.port()));
    let late = subscribe_while_away(&node).await;
    assert_eq!(node.broker().overall_state(), BrokerState::Away);
    server.restart().await.unwrap();
    late.await.unwrap().unwrap();
    assert_restored(&node, &node, &channel("late")).await;
    assert_eq!(node.counter(RECONNECTS, None), 0.0, "the first connection is not a reconnect");
}

/// On one thread: so the subscription is asked for before there is a connection.
#[tokio::test]
async fn an_interruption_before_all_is_settled_is_told() {
    let fake = FakeRedis::start(true).await;
    fake.informs.send_replace(false);
    let node = TestNode::start(config(fake.port));
    node.subscribe(&channel("early")).await.unwrap();
    assert_eq!(node.recorder.outages().causes, []);
    fake.cut();
    eventually("it is told", || node.recorder.outages().causes == [Interruption::Lost]).await;
    fake.informs.send_replace(true);
    eventually("it is over", || node.recorder.outages().outages.len() == 1).await;
    node.is_up().await;
    assert_eq!(node.recorder.outages().causes.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_redis_loses_nothing_it_was_given() {
    let server = RedisServer::start().await.unwrap();
    let publisher = TestNode::with_limits(config(server.port()), patient(Duration::from_millis(300)));
    publisher.is_up().await;
    let subscriber = up(config(server.port())).await;
    let channel = channel("frozen");
    subscriber.subscribe(&channel).await.unwrap();
    server.stop_process().unwrap();
    let answers = publish(&publisher, &channel, 0..5000);
    let last = publisher.publish(&channel, Payload::text("late"), None);
    assert!(matches!(last.await, Ok(Err(PublishError::Refused(_)))), "an unwritten message does not wait");
    server.continue_process().unwrap();
    let outcomes = Outcomes::of(answers).await;
    assert!(outcomes.unknown.is_empty(), "the connection never ended");
    assert!(!outcomes.taken.is_empty() && !outcomes.refused.is_empty());
    assert_restored(&publisher, &subscriber, &channel).await;
    let delivered: HashSet<_> = delivered(&subscriber, &channel).into_iter().collect();
    assert_eq!(delivered, outcomes.taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_in_a_frozen_redis_never_overtake() {
    const OLD: usize = 250;
    let server = RedisServer::start().await.unwrap();
    let observer = up(config(server.port())).await;
    let channel = channel("fence");
    observer.subscribe(&channel).await.unwrap();
    for round in 0..10 {
        let proxy = Proxy::start(server.port()).await;
        let publisher = TestNode::with_limits(config(proxy.port), patient(Duration::from_secs(30)));
        publisher.is_up().await;
        let before = observer.recorder.count(&channel);
        server.stop_process().unwrap();
        let forwarded = proxy.forwarded.load(Ordering::SeqCst);
        let padded = |number: usize| Payload::text(format!("{number} {}", "x".repeat(900)));
        let old: Vec<_> = (0..OLD).map(|n| (n, publisher.publish(&channel, padded(n), None))).collect();
        eventually("they are in the socket of Redis", || {
            proxy.forwarded.load(Ordering::SeqCst) > forwarded + OLD * 900
        })
        .await;
        proxy.cut();
        assert_eq!(Outcomes::of(old).await.unknown.len(), OLD);
        eventually("both new connections wait beside them", || proxy.accepted.load(Ordering::SeqCst) == 4)
            .await;
        let new: Vec<_> =
            (OLD..OLD + 50).map(|n| (n, publisher.publish(&channel, padded(n), None))).collect();
        server.continue_process().unwrap();
        assert_eq!(Outcomes::of(new).await.taken.len(), 50);
        publisher.is_up().await;
        publisher.publish_text(&channel, "end").await.unwrap();
        eventually("all of it came", || {
            observer.recorder.texts(&channel)[before..].last().is_some_and(|last| last == "end")
        })
        .await;
        let texts = observer.recorder.texts(&channel);
        let numbers: Vec<usize> =
            texts[before..].iter().filter_map(|text| text.split(' ').next()?.parse().ok()).collect();
        assert!(numbers.is_sorted(), "round {round}: an old command ran after a newer one");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_before_the_fence() {
    let fake = FakeRedis::start(true).await;
    let publisher = TestNode::with_limits(config(fake.port), patient(Duration::from_secs(30)));
    publisher.is_up().await;
    let channel = channel("fence");
    publisher.publish_text(&channel, "first").await.unwrap();
    let published = ["PUBLISH", "fanfare:fence"];
    let [first] = fake.with(&published)[..] else { panic!("one was published") };
    fake.kills.send_replace(false);
    let kills = fake.with(&["CLIENT", "KILL"]).len();
    fake.cut();
    // The first connection asks whether it may kill itself. Redis spares the caller.
    eventually("the next connection raises its fence", || fake.with(&["CLIENT", "KILL"]).len() > kills).await;
    let address = format!("127.0.0.1:{}", 10_000 + first);
    let old = ["CLIENT", "KILL", "ID", &first.to_string(), "ADDR", &address, "SKIPME", "yes"];
    let [_, second] = fake.with(&old)[..] else { panic!("the old connection is killed by id and address") };
    let answered = publisher.publish(&channel, Payload::text("second"), None);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(fake.with(&published), [first], "it waits for the answer");
    fake.kills.send_replace(true);
    assert_eq!(answered.await, Ok(Ok(Taken::default())));
    assert_eq!(fake.with(&published), [first, second]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnects_without_a_fence_are_counted() {
    let server = RedisServer::start().await.unwrap();
    let node = up(with_user(&server, "+@all -client|kill", "allchannels").await).await;
    node.publish_text(&channel("a"), "1").await.unwrap();
    assert_eq!(node.counter(UNFENCED, None), 0.0);
    let _killed: usize =
        server.run(redis::cmd("CLIENT").arg("KILL").arg("USER").arg("limited")).await.unwrap();
    eventually("it reconnects", || node.counter(RECONNECTS, Some("publisher")) > 0.0).await;
    node.publish_text(&channel("a"), "2").await.unwrap();
    assert_eq!(node.counter(UNFENCED, None), 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_named_and_not_shown() {
    let server = RedisServer::start_with(&["--requirepass", "right"]).await.unwrap();
    let url = format!("redis://:hunter2@127.0.0.1:{}", server.port());
    let node = TestNode::with_limits(url.parse().unwrap(), patient(Duration::from_millis(300)));
    let refused = node.publish_text(&channel("a"), "x").await.unwrap_err().to_string();
    assert!(refused.contains("WRONGPASS") && !refused.contains("hunter2"), "{refused}");
    let refused_in = node.subscribe(&channel("a")).await;
    let registry = node.started.registry.nodes().await.unwrap_err().to_string();
    assert!(!registry.contains("hunter2"), "{registry}");
    match refused_in {
        Err(SubscribeError::Misconfigured(why)) => assert!(why.contains("WRONGPASS"), "{why}"),
        other => panic!("{other:?}"),
    }
    let right = format!("redis://:right@127.0.0.1:{}", server.port());
    up(right.parse().unwrap()).await.publish_text(&channel("a"), "x").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_resp3_is_named() {
    let fake = FakeRedis::start(false).await;
    let node = TestNode::with_limits(config(fake.port), patient(Duration::from_millis(300)));
    let refused = node.publish_text(&channel("a"), "x").await.unwrap_err().to_string();
    assert!(refused.contains("RESP3") && !refused.contains("hunter2"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_channel_is_refused_alone() {
    let server = RedisServer::start().await.unwrap();
    let config = with_user(&server, "+@all", "resetchannels &fanfare:open* &fanfare!*").await;
    let node = up(config).await;
    let names = ["open-1", "secret", "open-2"].map(channel);
    let confirmed: Vec<_> = names.iter().map(|name| node.broker().subscribe(name)).collect();
    let mut results = Vec::new();
    for confirmed in confirmed {
        results.push(confirmed.await);
    }
    let forbidden = Err(SubscribeError::Forbidden("NOPERM".to_owned()));
    assert_eq!(results, [Ok(()), forbidden.clone(), Ok(())]);
    assert_eq!(node.subscribe(&channel("secret")).await, forbidden, "again, when asked again");
    let refused = node.publish_text(&channel("secret"), "x").await.unwrap_err();
    assert_eq!(refused, PublishError::Forbidden("Redis answers NOPERM".to_owned()));
    assert_restored(&node, &node, &channel("open-1")).await;
    assert_eq!(node.counter(RECONNECTS, None), 0.0);
    assert_eq!(node.counter("fanfare_redis_subscriptions_forbidden_total", None), 2.0);
}

/// The configuration of a node that logs in as a user `limited` with these rules.
async fn with_user(server: &RedisServer, commands: &str, channels: &str) -> BrokerConfig {
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg("limited").arg("on").arg(">pw").arg("~*");
    for rule in channels.split(' ').chain(commands.split(' ')) {
        acl.arg(rule);
    }
    let () = server.run(&acl).await.unwrap();
    let config: BrokerConfig = format!("redis://limited:pw@127.0.0.1:{}", server.port()).parse().unwrap();
    config.with_prefix(&Prefix::default())
}
