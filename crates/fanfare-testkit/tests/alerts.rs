//! Each alert, provoked: real nodes, a real Redis and a real Prometheus, whose alerts fire as soon as they see something.
//! Something is stopped, slowed, filled or taken away; the alert fires, and where it is put right, it ends.
//!
//! `make alerts` runs them one at a time, and makes a table of the lines that begin with `ALERT`.

#![expect(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

mod provoked;

use std::time::Duration;

use fanfare_testkit::{
    Direction, Endpoint, Process, Proxy, RawClient, RedisServer, assert_eventually, redis_server,
};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use crate::provoked::{Provoked, group::Group, tell};

/// A node with this in its environment. Its clients are not asked for signs of life: here many give none.
async fn node(name: &str, redis: &RedisServer, environment: &[(&str, &str)]) -> Process {
    let environment = [environment, &[("FANFARE_RELAY__PING_INTERVAL", "1h")]].concat();
    Process::start_with(name, &redis.url(), &environment).await
}

/// Publishes to a channel of a node again and again, whatever becomes of it; ends when dropped.
fn publishing(node: Endpoint, channel: &'static str, bytes: usize) -> JoinSet<()> {
    let mut talkers = JoinSet::new();
    for _ in 0..4 {
        talkers.spawn(async move {
            loop {
                let _status = node.post(&json!({"channel": channel, "data": "x".repeat(bytes)})).await.status;
                sleep(Duration::from_millis(50)).await;
            }
        });
    }
    talkers
}

/// Clients in a channel of a node that read nothing.
async fn sleepers(node: Endpoint, count: usize) -> Vec<RawClient> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = node.raw().await;
        client.upgrade("/ws/chat", &[]).await.is(101, "");
        clients.push(client);
    }
    clients
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn a_node_is_killed() {
    let redis = redis_server().await;
    let (mut one, other) = (node("node-1", &redis, &[]).await, node("node-2", &redis, &[]).await);
    let mut provoked = Provoked::watch(&[*one, *other], &["FanfareNodeDown"]).await;
    provoked.begins();
    let gone = one.endpoint();
    one.kill().await;
    provoked.fires("FanfareNodeDown", &[gone]).await;
    tell("FanfareNodeDown", "SIGKILL of a node", Some(provoked.lasts()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn redis_is_frozen_under_load() {
    let redis = redis_server().await;
    let nodes = [node("node-1", &redis, &[]).await, node("node-2", &redis, &[]).await];
    let nodes = [*nodes[0], *nodes[1]];
    let _talkers = nodes.map(|node| publishing(node, "chat", 10));
    let mut provoked = Provoked::watch(&nodes, &["FanfareBrokerAway", "FanfarePublishesRefused"]).await;
    provoked.begins();
    redis.stop_process().unwrap();
    provoked.fires("FanfareBrokerAway", &nodes).await;
    let away = provoked.lasts();
    provoked.fires("FanfarePublishesRefused", &nodes).await;
    let refused = provoked.lasts();
    redis.continue_process().unwrap();
    provoked.is_over("FanfareBrokerAway", "SIGSTOP of Redis", away).await;
    provoked.is_over("FanfarePublishesRefused", "SIGSTOP of Redis", refused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn what_redis_delivers_to_one_of_two_nodes_is_held_back() {
    let redis = redis_server().await;
    let proxy = Proxy::start(redis.port()).await;
    let (deaf, other) =
        (Process::start("node-1", &proxy.url()).await, Process::start("node-2", &redis.url()).await);
    let mut provoked = Provoked::watch(&[*deaf, *other], &["FanfareNodeDeaf", "FanfareInterrupted"]).await;
    provoked.begins();
    proxy.stall_subscribers(Direction::ToClient);
    provoked.fires("FanfareNodeDeaf", &[*deaf]).await;
    let fired = provoked.lasts();
    proxy.resume(Direction::ToClient);
    provoked.fires("FanfareInterrupted", &[*deaf]).await;
    let interrupted = provoked.lasts();
    provoked.is_over("FanfareNodeDeaf", "the proxy before Redis holds back deliveries", fired).await;
    provoked.is_over("FanfareInterrupted", "deliveries of Redis held back for a while", interrupted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn redis_is_slow_for_one_of_two_nodes() {
    let redis = redis_server().await;
    let proxy = Proxy::start(redis.port()).await;
    let (far, near) =
        (Process::start("node-1", &proxy.url()).await, Process::start("node-2", &redis.url()).await);
    let _listener = far.connect("/ws/chat").await;
    let _talkers = publishing(*near, "chat", 10);
    let mut provoked = Provoked::watch(&[*far, *near], &["FanfareRelayLatencyHigh"]).await;
    provoked.begins();
    proxy.delay(Direction::ToClient, Duration::from_millis(1500));
    provoked.fires("FanfareRelayLatencyHigh", &[*far]).await;
    let fired = provoked.lasts();
    proxy.delay(Direction::ToClient, Duration::ZERO);
    provoked.is_over("FanfareRelayLatencyHigh", "1.5 s between Redis and a node", fired).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn redis_forbids_a_channel_for_a_while() {
    let redis = redis_server().await;
    acl(&redis, &["on", ">right", "~*", "&*", "+@all"]).await;
    let url = format!("redis://gateway:right@127.0.0.1:{}", redis.port());
    let one = Process::start("node-1", &url).await;
    let _listener = one.connect("/ws/chat").await;
    let mut provoked = Provoked::watch(&[*one], &["FanfarePublicationsMissed"]).await;
    provoked.begins();
    acl(&redis, &["resetchannels", "&fanfare!*"]).await;
    assert_eventually!(
        one.metric("fanfare_redis_subscriptions_forbidden_total").await > 0.0,
        "the node knows that it may not subscribe"
    );
    acl(&redis, &["allchannels"]).await;
    provoked.fires("FanfarePublicationsMissed", &[*one]).await;
    let fired = provoked.lasts();
    provoked.is_over("FanfarePublicationsMissed", "ACL of Redis, without a channel for a while", fired).await;
}

/// Sets rules of the user that the node is.
async fn acl(redis: &RedisServer, rules: &[&str]) {
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg("gateway").arg(rules);
    let () = redis.run(&acl).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn clients_do_not_read() {
    let redis = redis_server().await;
    let limits = [("FANFARE_LIMITS__OUTBOUND_BYTES", "256KiB")];
    let nodes = [node("node-1", &redis, &limits).await, node("node-2", &redis, &limits).await];
    let mut provoked = Provoked::watch(&[*nodes[0], *nodes[1]], &["FanfareSlowClients"]).await;
    let _sleepers = sleepers(*nodes[0], 20).await;
    provoked.begins();
    let talkers = publishing(*nodes[1], "chat", 60_000);
    provoked.fires("FanfareSlowClients", &[*nodes[0]]).await;
    let fired = provoked.lasts();
    drop(talkers);
    provoked.is_over("FanfareSlowClients", "20 clients that read nothing", fired).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn much_waits_for_clients_that_are_not_slow_yet() {
    let redis = redis_server().await;
    // What is half of the bound of one of them is too much for all of them together.
    let limits =
        [("FANFARE_LIMITS__OUTBOUND_BYTES", "16MiB"), ("FANFARE_LIMITS__OUTBOUND_TOTAL_BYTES", "16MiB")];
    let one = node("node-1", &redis, &limits).await;
    let mut provoked = Provoked::watch(&[*one], &["FanfareOutboundShort"]).await;
    let sleepers = sleepers(*one, 8).await;
    provoked.begins();
    let waiting = || async { one.metric("fanfare_outbound_queued_bytes").await };
    while waiting().await < 0.85 * f64::from(16 << 20) {
        one.publish("chat", "x".repeat(40_000)).await;
    }
    provoked.fires("FanfareOutboundShort", &[*one]).await;
    let fired = provoked.lasts();
    drop(sleepers);
    provoked
        .is_over("FanfareOutboundShort", "8 clients that read nothing, of limits that are wide", fired)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn clients_begin_messages_that_take_all_the_memory_for_them() {
    let redis = redis_server().await;
    let limits = [("FANFARE_LIMITS__INCOMPLETE_TOTAL_BYTES", "1MiB")];
    let one = node("node-1", &redis, &limits).await;
    let mut provoked = Provoked::watch(&[*one], &["FanfareIncompleteShort"]).await;
    provoked.begins();
    let mut offenders = Vec::new();
    while one.metric("fanfare_incomplete_bytes").await < 0.85 * f64::from(1 << 20) {
        let mut offender = one.raw().await;
        offender.upgrade("/ws/chat", &[]).await.is(101, "");
        // A text of 60,000 bytes, without its end.
        offender.send(&[&b"\x81\xfe\xea\x60\0\0\0\0"[..], &[b'x'; 50_000]].concat()).await;
        offenders.push(offender);
    }
    provoked.fires("FanfareIncompleteShort", &[*one]).await;
    let fired = provoked.lasts();
    drop(offenders);
    provoked
        .is_over("FanfareIncompleteShort", "clients that begin messages and do not end them", fired)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn a_client_does_not_answer_the_goodbye_of_a_drain() {
    let redis = redis_server().await;
    let patient = [("FANFARE_DRAIN__TIMEOUT", "30m"), ("FANFARE_LIMITS__GOODBYE", "1m")];
    let (leaving, stays) = (node("node-1", &redis, &patient).await, node("node-2", &redis, &[]).await);
    let _stubborn = sleepers(*leaving, 3).await;
    let mut provoked = Provoked::watch(&[*leaving, *stays], &["FanfareDrainStuck"]).await;
    provoked.begins();
    leaving.terminate();
    provoked.fires("FanfareDrainStuck", &[*leaving]).await;
    let by = "SIGTERM, and clients that do not answer their close";
    tell("FanfareDrainStuck", by, Some(provoked.lasts()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn all_clients_come_to_one_of_two_nodes() {
    let redis = redis_server().await;
    let nodes = [node("node-1", &redis, &[]).await, node("node-2", &redis, &[]).await];
    let mut provoked = Provoked::watch(&[*nodes[0], *nodes[1]], &["FanfareImbalance"]).await;
    provoked.begins();
    let crowd = sleepers(*nodes[0], 120).await;
    provoked.fires("FanfareImbalance", &[*nodes[0]]).await;
    let fired = provoked.lasts();
    drop(crowd);
    provoked.is_over("FanfareImbalance", "120 clients at one node, none at the other", fired).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn a_node_is_full_and_others_keep_coming() {
    let redis = redis_server().await;
    let limits = [("FANFARE_LIMITS__CONNECTIONS", "10")];
    let (full, other) = (node("node-1", &redis, &limits).await, node("node-2", &redis, &[]).await);
    let mut provoked =
        Provoked::watch(&[*full, *other], &["FanfareConnectionsShort", "FanfareLimitHit"]).await;
    provoked.begins();
    let clients = sleepers(*full, 10).await;
    provoked.fires("FanfareConnectionsShort", &[*full]).await;
    let short = provoked.lasts();
    let mut knocking = JoinSet::new();
    let door = full.endpoint();
    knocking.spawn(async move {
        loop {
            door.upgrade("/ws/chat", &[]).await.is(503, "limits.connections");
            sleep(Duration::from_millis(100)).await;
        }
    });
    provoked.fires("FanfareLimitHit", &[*full]).await;
    let hit = provoked.lasts();
    drop(knocking);
    drop(clients);
    provoked.is_over("FanfareConnectionsShort", "10 clients of limits.connections = 10", short).await;
    provoked.is_over("FanfareLimitHit", "a full node, and clients that keep coming", hit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn descriptors_are_taken_away_from_a_node() {
    let redis = redis_server().await;
    let nodes = [node("node-1", &redis, &[]).await, node("node-2", &redis, &[]).await];
    let mut provoked = Provoked::watch(&[*nodes[0], *nodes[1]], &["FanfareDescriptorsShort"]).await;
    let _clients = sleepers(*nodes[0], 50).await;
    provoked.begins();
    let open = nodes[0].metric("process_open_fds").await;
    let most = nodes[0].metric("process_max_fds").await;
    descriptors(&nodes[0], open + 1.0).await;
    provoked.fires("FanfareDescriptorsShort", &[*nodes[0]]).await;
    let fired = provoked.lasts();
    descriptors(&nodes[0], most).await;
    provoked.is_over("FanfareDescriptorsShort", "prlimit: one descriptor is left", fired).await;
}

/// Sets how many descriptors a process may have (util-linux' prlimit).
async fn descriptors(process: &Process, count: f64) {
    let mut prlimit = tokio::process::Command::new("prlimit");
    // The lower bound alone, so that it can be raised again by anybody.
    prlimit.args(["--pid", &process.id().to_string(), &format!("--nofile={count}:")]);
    assert!(prlimit.status().await.unwrap().success(), "prlimit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn the_control_group_of_a_node_runs_out_of_memory() {
    let redis = redis_server().await;
    let nodes = [node("node-1", &redis, &[]).await, node("node-2", &redis, &[]).await];
    let Some(group) = Group::of(&nodes[0]) else {
        println!(
            "ALERT FanfareMemoryShort | no control group for memory can be made here | fired - | over -"
        );
        return;
    };
    let mut provoked = Provoked::watch(&[*nodes[0], *nodes[1]], &["FanfareMemoryShort"]).await;
    let _clients = sleepers(*nodes[0], 200).await;
    provoked.begins();
    let used = group.usage();
    group.limit(used + used / 20);
    provoked.fires("FanfareMemoryShort", &[*nodes[0]]).await;
    let fired = provoked.lasts();
    group.limit(16 * used + (1 << 30));
    provoked
        .is_over("FanfareMemoryShort", "a control group with little more than the node uses", fired)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn a_node_has_more_to_deliver_than_it_can() {
    let redis = redis_server().await;
    let one_shard = [
        ("FANFARE_RUNTIME__SHARDS", "1"),
        ("FANFARE_RUNTIME__WORKERS", "1"),
        ("FANFARE_LIMITS__OUTBOUND_BYTES", "64MiB"),
    ];
    let (busy, idle) = (node("node-1", &redis, &one_shard).await, node("node-2", &redis, &[]).await);
    let mut provoked = Provoked::watch(&[*busy, *idle], &["FanfareShardSaturated"]).await;
    let mut listeners = JoinSet::new();
    for client in sleepers(*busy, 600).await {
        listeners.spawn(client.forget());
    }
    provoked.begins();
    let floods: Vec<_> = (0..16).map(|_| flood(*idle)).collect();
    provoked.fires("FanfareShardSaturated", &[*busy]).await;
    let fired = provoked.lasts();
    drop(floods);
    provoked.is_over("FanfareShardSaturated", "a flood for 600 clients of one shard", fired).await;
}

/// Publishes as fast as it can; ends when dropped.
fn flood(node: Endpoint) -> JoinSet<()> {
    let mut flood = JoinSet::new();
    flood.spawn(async move {
        loop {
            let _status = node.post(&json!({"channel": "chat", "data": "x"})).await.status;
        }
    });
    flood
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn two_nodes_have_one_name() {
    let redis = redis_server().await;
    let one = node("twin", &redis, &[]).await;
    let mut provoked = Provoked::watch(&[*one], &["FanfareNodeNameConflict"]).await;
    provoked.begins();
    let mut other = node("twin", &redis, &[]).await;
    provoked.fires("FanfareNodeNameConflict", &[*one]).await;
    let fired = provoked.lasts();
    other.terminate();
    other.wait().await;
    provoked.is_over("FanfareNodeNameConflict", "a second node of the same name", fired).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn a_configuration_with_a_mistake_is_read_again() {
    let redis = redis_server().await;
    let one =
        Process::serve(&["--listen", "127.0.0.1:0", "--node", "node-1", "--broker", &redis.url()], "").await;
    let mut provoked = Provoked::watch(&[*one], &["FanfareConfigurationRefused"]).await;
    provoked.begins();
    one.reload("limits.message_bytes = \"nothing\"").await;
    provoked.fires("FanfareConfigurationRefused", &[*one]).await;
    let fired = provoked.lasts();
    one.reload("").await;
    provoked.is_over("FanfareConfigurationRefused", "SIGHUP, and a mistake in the file", fired).await;
}
