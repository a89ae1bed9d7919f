//! Commands that Redis refuses, and databases.

use std::time::Duration;

use fanfare_broker_suite::{RedisServer, TestNode, eventually};
use fanfare_core::broker::{BrokerState, Interruption};
use tokio::time::{sleep, timeout};

use crate::support::{Proxy, assert_restored, channel, config};

const RECONNECTS: &str = "fanfare_redis_reconnects_total";
const ERRORS: &str = "fanfare_redis_errors_total";

/// Runs a script until it is killed, and returns once Redis says BUSY.
async fn busy(server: &RedisServer) -> impl Future<Output = ()> {
    let url = server.url();
    let script = tokio::spawn(async move {
        let client = redis::Client::open(url).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        connection.set_response_timeout(Duration::from_secs(60));
        let endless = redis::cmd("EVAL").arg("while true do end").arg(0).query_async(&mut connection).await;
        let _killed: redis::RedisResult<()> = endless;
    });
    let is_busy = || async { server.run::<String>(&redis::cmd("PING")).await.is_err() };
    while !is_busy().await {
        sleep(Duration::from_millis(20)).await;
    }
    async move { script.await.unwrap() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_redis_costs_no_subscription() {
    let server = RedisServer::start_with(&["--busy-reply-threshold", "50"]).await.unwrap();
    let node = TestNode::start(config(server.port()));
    node.is_up().await;
    let [stays, given_up, new] = ["stays", "given-up", "new"].map(channel);
    for channel in [&stays, &given_up] {
        node.subscribe(channel).await.unwrap();
    }
    let ended = busy(&server).await;
    let refused = || node.counter(ERRORS, Some("BUSY"));
    node.broker().unsubscribe(&given_up);
    let subscribing = node.broker().subscribe(&new);
    let before = refused();
    eventually("commands are refused, and tried again", || refused() > before + 6.0).await;
    let () = server.run(redis::cmd("SCRIPT").arg("KILL")).await.unwrap();
    ended.await;
    subscribing.await.unwrap();
    for channel in [&stays, &new] {
        assert_restored(&node, &node, channel).await;
    }
    let mut subscribed = redis::cmd("PUBSUB");
    subscribed.arg("NUMSUB").arg("fanfare:given-up");
    while server.run::<(String, usize)>(&subscribed).await.unwrap().1 > 0 {
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(node.recorder.outages().causes, []);
    assert_eq!(node.counter(RECONNECTS, None), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_redis_restores_subscriptions_later() {
    let server = RedisServer::start_with(&["--busy-reply-threshold", "50"]).await.unwrap();
    let proxy = Proxy::start(server.port()).await;
    let node = TestNode::start(config(proxy.port));
    node.is_up().await;
    let channel = channel("stood");
    node.subscribe(&channel).await.unwrap();
    let ended = busy(&server).await;
    let refused = || node.counter(ERRORS, Some("BUSY"));
    let before = refused();
    proxy.cut();
    eventually("both connections are refused commands", || refused() > before + 6.0).await;
    let () = server.run(redis::cmd("SCRIPT").arg("KILL")).await.unwrap();
    ended.await;
    eventually("it is restored", || node.recorder.outages().outages.len() == 1).await;
    assert_restored(&node, &node, &channel).await;
    assert_eq!(node.recorder.outages().causes, [Interruption::Lost]);
    assert_eq!(node.counter("fanfare_redis_unfenced_reconnects_total", None), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_keys_are_in_the_named_database() {
    let server = RedisServer::start().await.unwrap();
    let node = TestNode::start(format!("{}/5", server.url()).parse().unwrap());
    node.is_up().await;
    node.started.registry.announce(&node.info("a")).await.unwrap();
    let keyspace: String = server.run(redis::cmd("INFO").arg("keyspace")).await.unwrap();
    assert!(keyspace.contains("db5:") && !keyspace.contains("db0:"), "{keyspace}");
    let channel = channel("a");
    node.subscribe(&channel).await.unwrap();
    assert_restored(&node, &node, &channel).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_is_named() {
    let server = RedisServer::start().await.unwrap();
    let node = TestNode::start(format!("{}/99", server.url()).parse().unwrap());
    eventually("it is refused", || node.counter(ERRORS, None) > 0.0).await;
    let refused = node.publish_text(&channel("a"), "x").await.unwrap_err().to_string();
    assert!(refused.contains("no database 99") && refused.contains("databases"), "{refused}");
    let registry = node.started.registry.nodes().await.unwrap_err().to_string();
    assert!(registry.contains("ERR to SELECT"), "{registry}");
    assert_eq!(node.broker().overall_state(), BrokerState::Away);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_redis_is_named() {
    let server = RedisServer::start().await.unwrap();
    let node = TestNode::start(config(server.port()));
    node.is_up().await;
    let announce = async || node.started.registry.announce(&node.info("a")).await;
    announce().await.unwrap();
    server.run::<()>(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1)).await.unwrap();
    let before = node.counter(ERRORS, Some("OOM"));
    let refused = announce().await.unwrap_err().to_string();
    assert!(refused.contains("Redis answers OOM to SET, ZADD"), "{refused}");
    assert!(node.counter(ERRORS, Some("OOM")) > before);
    server.run::<()>(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(0)).await.unwrap();
    announce().await.unwrap();
}

/// Otherwise subscribers are told that the clients of all nodes left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_redis_lets_its_nodes_live() {
    let server = RedisServer::start().await.unwrap();
    let node = TestNode::start(config(server.port()));
    node.is_up().await;
    let registry = &node.started.registry;
    registry.announce(&node.info("a")).await.unwrap();
    let incarnation = node.incarnation.to_string();
    let keys = ["node", "heartbeat"].map(|kind| format!("fanfare!{kind}:{incarnation}"));
    // Its place in the list is over.
    server.run::<u64>(redis::cmd("ZADD").arg("fanfare!nodes").arg(1).arg(&incarnation)).await.unwrap();
    server.run::<()>(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1)).await.unwrap();
    for key in &keys {
        assert!(server.run::<bool>(redis::cmd("EXPIRE").arg(key).arg(5)).await.unwrap());
    }
    registry.announce(&node.info("a")).await.unwrap_err();
    for key in &keys {
        let lives_on = async {
            while server.run::<i64>(redis::cmd("TTL").arg(key)).await.unwrap() <= 5 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(30), lives_on).await.expect(key);
    }
    let listed = registry.nodes().await.unwrap();
    assert_eq!(listed.iter().map(|node| &node.incarnation).collect::<Vec<_>>(), [&incarnation]);
}
