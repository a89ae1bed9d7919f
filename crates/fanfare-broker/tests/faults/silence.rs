//! A Redis that is silent, and a node that does not hear it: each is found, named, and repaired.

use std::time::Duration;

use crate::support::{Outcomes, Proxy, assert_restored, channel, config, delivered, publish};
use fanfare_broker::{RedisConfig, Watch};
use fanfare_broker_suite::{RedisServer, TestNode, eventually};
use fanfare_core::{
    Limits, Payload,
    broker::{BrokerState, Interruption},
};
use tokio::time::sleep;

const MILLISECOND: Duration = Duration::from_millis(1);
const QUICK: Watch = Watch {
    every: Duration::from_millis(50),
    patience: Duration::from_millis(500),
    give_up: Duration::from_secs(2),
};
/// So long that it finds nothing by waiting.
const PATIENT: Watch = Watch {
    every: Duration::from_millis(50),
    patience: Duration::from_secs(60),
    give_up: Duration::from_secs(60),
};

/// A node that is up.
async fn up(port: u16, watch: Watch) -> TestNode {
    let limits = Limits { publish_wait: 300 * MILLISECOND, message_bytes: 1 << 20, ..Limits::default() };
    let node = TestNode::with_limits(config(port).map(|redis| RedisConfig { watch, ..redis }), limits);
    node.is_up().await;
    node
}

async fn is(node: &TestNode, state: BrokerState) {
    eventually(state.name(), || node.broker().overall_state() == state).await;
}

fn causes(node: &TestNode) -> Vec<Interruption> {
    node.recorder.outages().causes
}

/// Each interruption is over.
fn assert_all_over(node: &TestNode) {
    let outages = node.recorder.outages();
    assert_eq!(outages.causes.len(), outages.outages.len(), "{outages:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_node_still_publishes() {
    let server = RedisServer::start().await.unwrap();
    let proxy = Proxy::start(server.port()).await;
    let (deaf, other) = (up(proxy.port, QUICK).await, up(server.port(), QUICK).await);
    let channel = channel("deaf");
    for node in [&deaf, &other] {
        node.subscribe(&channel).await.unwrap();
    }
    proxy.mute(Some("subscriber"));
    is(&deaf, BrokerState::Deaf).await;
    eventually("it is told", || causes(&deaf) == [Interruption::Deaf]).await;
    deaf.publish_text(&channel, "from the deaf").await.unwrap();
    eventually("others hear it", || other.recorder.texts(&channel) == ["from the deaf"]).await;
    proxy.mute(None);
    assert_restored(&other, &deaf, &channel).await;
    assert_all_over(&deaf);
    let outage = deaf.recorder.outages().outages[0];
    assert!(outage >= QUICK.patience, "it began with the last canary, not when that was noticed: {outage:?}");
    assert_eq!(deaf.counter("fanfare_redis_reconnects_total", Some("publisher")), 0.0);
    assert!(causes(&other).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_message_shows_a_loss() {
    let server = RedisServer::start().await.unwrap();
    let proxy = Proxy::start(server.port()).await;
    let (node, publisher) = (up(proxy.port, PATIENT).await, up(server.port(), PATIENT).await);
    let [lossy, whole] = ["lossy", "whole"].map(channel);
    for (number, channel) in [&lossy, &whole, &lossy, &whole].into_iter().enumerate() {
        node.subscribe(channel).await.unwrap();
        publisher.publish_text(channel, &number.to_string()).await.unwrap();
    }
    eventually("they come", || node.recorder.count(&lossy) + node.recorder.count(&whole) == 4).await;
    proxy.mute(Some("subscriber"));
    publisher.publish_text(&lossy, "lost").await.unwrap();
    eventually("it is lost on the way", || proxy.has_lost("fanfare:lossy")).await;
    proxy.mute(None);
    for channel in [&whole, &lossy] {
        publisher.publish_text(channel, "9").await.unwrap();
        eventually("it comes", || node.recorder.texts(channel).last().is_some_and(|last| last == "9")).await;
    }
    assert_eq!(node.recorder.outages().missed, [lossy]);
    assert_eq!(causes(&node), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_without_answers_is_given_up() {
    let server = RedisServer::start().await.unwrap();
    let proxy = Proxy::start(server.port()).await;
    let (node, other) = (up(proxy.port, QUICK).await, up(server.port(), QUICK).await);
    let channel = channel("away");
    other.subscribe(&channel).await.unwrap();
    proxy.mute(Some("publisher"));
    let written = Outcomes::of(publish(&node, &channel, 0..10));
    is(&node, BrokerState::Away).await;
    let held = Outcomes::of(publish(&node, &channel, 10..20)).await;
    assert_eq!(held.refused.len(), 10, "nothing is written to a silent Redis");
    assert_eq!(written.await.unknown.len(), 10);
    eventually("it is told", || causes(&node) == [Interruption::Silent]).await;
    proxy.mute(None);
    assert_restored(&node, &other, &channel).await;
    assert_eq!(delivered(&other, &channel), (0..10).collect::<Vec<_>>(), "Redis had them, once");
    eventually("the interruption is over", || node.recorder.outages().outages.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_freeze_interrupts_nothing() {
    let server = RedisServer::start().await.unwrap();
    let watch = Watch { patience: 1000 * MILLISECOND, give_up: Duration::from_secs(60), ..QUICK };
    let node = up(server.port(), watch).await;
    let channel = channel("frozen");
    node.subscribe(&channel).await.unwrap();
    server.stop_process().unwrap();
    let written = publish(&node, &channel, 0..10);
    is(&node, BrokerState::Away).await;
    let queue = || node.counter("fanfare_redis_publisher_queue_length", None);
    assert!(queue() >= 10.0, "{}", queue());
    server.continue_process().unwrap();
    assert_eq!(Outcomes::of(written).await.taken.len(), 10);
    assert_restored(&node, &node, &channel).await;
    eventually("all is answered", || queue() == 0.0).await;
    assert_eq!(causes(&node), []);
    assert_eq!(node.counter("fanfare_redis_reconnects_total", None), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_long_freeze_nothing_comes_twice() {
    let server = RedisServer::start().await.unwrap();
    let (node, other) = (up(server.port(), QUICK).await, up(server.port(), QUICK).await);
    let channel = channel("frozen");
    for node in [&node, &other] {
        node.subscribe(&channel).await.unwrap();
    }
    server.stop_process().unwrap();
    let written = publish(&node, &channel, 0..100);
    eventually("both are told", || [&node, &other].iter().all(|node| causes(node) == [Interruption::Silent]))
        .await;
    let outcomes = Outcomes::of(written).await;
    assert_eq!(outcomes.unknown.len(), 100);
    server.continue_process().unwrap();
    for node in [&node, &other] {
        assert_restored(node, node, &channel).await;
        delivered(node, &channel);
        assert_all_over(node);
    }
    assert_eq!(node.counter("fanfare_redis_unfenced_reconnects_total", None), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_that_reaches_nobody_means_deafness() {
    let server = RedisServer::start().await.unwrap();
    let proxy = Proxy::start(server.port()).await;
    // No round of the canary comes in time to find it.
    let rare = Watch { every: Duration::from_secs(600), ..PATIENT };
    let node = up(proxy.port, rare).await;
    let (held, nobodys) = (channel("held"), channel("nobody's"));
    node.subscribe(&held).await.unwrap();
    node.publish_text(&nobodys, "x").await.unwrap();
    node.publish_text(&held, "x").await.unwrap();
    eventually("it is heard", || node.recorder.count(&held) == 1).await;
    assert_eq!(causes(&node), [], "on a channel without subscribers it means nothing");
    proxy.vanish("subscriber");
    eventually("Redis has no subscriber there any more", || {
        // The first that reaches no subscriber is enough.
        drop(node.publish(&held, Payload::text("?"), None));
        causes(&node) == [Interruption::Deaf]
    })
    .await;
    assert_restored(&node, &node, &held).await;
    assert_all_over(&node);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_reaches_nobody_means_deafness() {
    let server = RedisServer::start().await.unwrap();
    let proxy = Proxy::start(server.port()).await;
    let node = up(proxy.port, PATIENT).await;
    proxy.vanish("subscriber");
    eventually("it is told", || causes(&node) == [Interruption::Deaf]).await;
    node.is_up().await;
    assert_all_over(&node);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_room_is_not_deaf() {
    let server = RedisServer::start().await.unwrap();
    let watch = Watch { patience: 1000 * MILLISECOND, give_up: Duration::from_secs(60), ..QUICK };
    let node = up(server.port(), watch).await;
    let channel = channel("full");
    node.subscribe(&channel).await.unwrap();
    node.recorder.close();
    publish(&node, &channel, 0..10);
    sleep(3 * watch.patience).await;
    node.recorder.open();
    assert_restored(&node, &node, &channel).await;
    assert_eq!(delivered(&node, &channel), (0..10).collect::<Vec<_>>());
    assert_eq!(causes(&node), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overflow_is_named() {
    let server = RedisServer::start().await.unwrap();
    let mut limit = redis::cmd("CONFIG");
    limit.arg("SET").arg("client-output-buffer-limit").arg("pubsub 1mb 512kb 1");
    let () = server.run(&limit).await.unwrap();
    let (node, publisher) = (up(server.port(), PATIENT).await, up(server.port(), PATIENT).await);
    let channel = channel("flood");
    node.subscribe(&channel).await.unwrap();
    node.recorder.close();
    // More than the buffers of the sockets and the limit hold together.
    let big = Payload::text("x".repeat(500_000));
    for _ in 0..60 {
        let answers: Vec<_> = (0..2).map(|_| publisher.publish(&channel, big.clone(), None)).collect();
        for answer in answers {
            answer.await.unwrap().unwrap();
        }
    }
    let list = || async {
        let mut list = redis::cmd("CLIENT");
        list.arg("LIST").arg("TYPE").arg("pubsub");
        server.run::<String>(&list).await.unwrap().lines().count()
    };
    while list().await > 1 {
        sleep(10 * MILLISECOND).await;
    }
    assert_eq!(causes(&node), [], "the node has not read that far");
    node.recorder.open();
    eventually("it is told", || causes(&node) == [Interruption::Overflow]).await;
    assert_restored(&publisher, &node, &channel).await;
    assert_all_over(&node);
    assert_eq!(causes(&publisher), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_connections_leave_a_demoted_master() {
    let server = RedisServer::start().await.unwrap();
    let new_master = RedisServer::start().await.unwrap();
    let (node, other) = (up(server.port(), QUICK).await, up(server.port(), QUICK).await);
    let channel = channel("demoted");
    for node in [&node, &other] {
        node.subscribe(&channel).await.unwrap();
    }
    let load = tokio::spawn({
        let channel = channel.clone();
        async move {
            let mut answers = Vec::new();
            for round in 0..150 {
                answers.extend(publish(&node, &channel, round * 20..round * 20 + 20));
                sleep(10 * MILLISECOND).await;
            }
            (node, answers)
        }
    });
    sleep(300 * MILLISECOND).await;
    let replica_of = |host: &str, port: &str| {
        let mut command = redis::cmd("REPLICAOF");
        command.arg(host).arg(port);
        command
    };
    let () = server.run(&replica_of("127.0.0.1", &new_master.port().to_string())).await.unwrap();
    is(&other, BrokerState::Away).await;
    eventually("it is told", || causes(&other) == [Interruption::Demoted]).await;
    let (node, answers) = load.await.unwrap();
    is(&node, BrokerState::Away).await;
    assert_eq!(causes(&node), [Interruption::Demoted]);
    let outcomes = Outcomes::of(answers).await;
    assert!(!outcomes.taken.is_empty() && !outcomes.refused.is_empty());
    let refused = node.publish_text(&channel, "x").await.unwrap_err().to_string();
    assert!(refused.contains("replica"), "{refused}");
    let () = server.run(&replica_of("NO", "ONE")).await.unwrap();
    assert_restored(&node, &other, &channel).await;
    let delivered: std::collections::HashSet<_> = delivered(&other, &channel).into_iter().collect();
    assert!(delivered.is_disjoint(&outcomes.refused));
    let lost = outcomes.taken.difference(&delivered).count();
    // Only those that were taken while the subscribers left.
    assert!(lost == 0 || !causes(&other).is_empty());
    eventually("the interruptions are over", || {
        [&node, &other].iter().all(|node| node.recorder.outages().outages.len() == 1)
    })
    .await;
}
