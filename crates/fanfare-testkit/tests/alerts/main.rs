//! Provokes each alert with real nodes, a real Redis and a real Prometheus whose alerts fire at once. A test stops, slows
//! or fills a part, waits for the alert, repairs the part, and waits for the end of the alert.
//!
//! `make alerts` runs the tests one at a time, and makes a table of the lines that begin with `ALERT`.

#![expect(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

mod events;
mod memory_group;
mod provoked;
mod reach;
mod server_lists;

use std::time::Duration;

use fanfare_testkit::{
    Direction, Endpoint, Process, Proxy, RawClient, RedisServer,
    acl::{set_rules, with_user},
    assert_eventually, redis_server,
};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    memory_group::Group,
    provoked::{Provoked, tell},
};

/// A node with these variables. It does not ping its clients, because many of them answer no pings here.
async fn node(name: &str, redis: &RedisServer, environment: &[(&str, &str)]) -> Process {
    let environment = [environment, &[("FANFARE_RELAY__PING_INTERVAL", "1h")]].concat();
    Process::start_with(name, &redis.url(), &environment).await
}

/// Publishes to a channel of a node again and again, and ignores the answers. Ends when dropped.
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

/// Clients in a channel of a node that never read.
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
async fn redis_holds_back_deliveries_to_one_node() {
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
async fn a_node_misses_more_than_its_history_keeps() {
    const HISTORY: &str = "[[namespace]]\nhistory_size = 1";
    let redis = redis_server().await;
    let proxy = Proxy::start(redis.port()).await;
    let start = async |name, url: String| {
        let flags = ["--listen", "127.0.0.1:0", "--node", name, "--broker", &url];
        let process = Process::serve(&flags, HISTORY).await;
        process.is_ready().await;
        process
    };
    let (cut_off, other) = (start("node-1", proxy.url()).await, start("node-2", redis.url()).await);
    let _listener = cut_off.connect("/ws/chat").await;
    let mut provoked = Provoked::watch(&[*cut_off, *other], &["FanfareHealsFailed"]).await;
    provoked.begins();
    proxy.stall_subscribers(Direction::ToClient);
    // Redis keeps the last of them, and about a hundred more.
    for number in 0..1000 {
        other.publish("chat", number).await;
    }
    proxy.cut();
    proxy.resume(Direction::ToClient);
    provoked.fires("FanfareHealsFailed", &[*cut_off]).await;
    let fired = provoked.lasts();
    provoked
        .is_over("FanfareHealsFailed", "more messages than a history keeps, to a node cut off", fired)
        .await;
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
    let one = Process::start("node-1", &with_user(&redis).await).await;
    let _listener = one.connect("/ws/chat").await;
    let mut provoked = Provoked::watch(&[*one], &["FanfarePublicationsMissed"]).await;
    provoked.begins();
    set_rules(&redis, &["resetchannels", "&fanfare!*"]).await;
    assert_eventually!(
        one.metric("fanfare_redis_subscriptions_forbidden_total").await > 0.0,
        "the node knows that it may not subscribe"
    );
    set_rules(&redis, &["allchannels"]).await;
    provoked.fires("FanfarePublicationsMissed", &[*one]).await;
    let fired = provoked.lasts();
    provoked.is_over("FanfarePublicationsMissed", "ACL of Redis, without a channel for a while", fired).await;
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
async fn much_waits_for_clients_that_read_nothing() {
    let redis = redis_server().await;
    // Half of the bound of one client is too much for all of them together.
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
async fn unfinished_messages_take_all_their_memory() {
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
async fn a_client_does_not_answer_its_close() {
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
async fn all_clients_are_on_one_node() {
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
async fn a_full_node_gets_more_clients() {
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
async fn a_node_runs_out_of_descriptors() {
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

/// Sets the descriptors that a process may have (util-linux' prlimit).
async fn descriptors(process: &Process, count: f64) {
    let mut prlimit = tokio::process::Command::new("prlimit");
    // Only the soft limit, so that it can be raised again without privileges.
    prlimit.args(["--pid", &process.id().to_string(), &format!("--nofile={count}:")]);
    assert!(prlimit.status().await.unwrap().success(), "prlimit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn a_control_group_runs_out_of_memory() {
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
    group.fill();
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
async fn a_node_cannot_deliver_a_flood() {
    let redis = redis_server().await;
    let one_shard = [
        ("FANFARE_RUNTIME__SHARDS", "1"),
        ("FANFARE_RUNTIME__WORKERS", "1"),
        ("FANFARE_LIMITS__OUTBOUND_BYTES", "64MiB"),
    ];
    let (busy, idle) = (node("node-1", &redis, &one_shard).await, node("node-2", &redis, &[]).await);
    let mut provoked = Provoked::watch(&[*busy, *idle], &["FanfareShardSaturated"]).await;
    let mut listeners = JoinSet::new();
    for client in sleepers(*busy, 2_000).await {
        listeners.spawn(client.forget());
    }
    provoked.begins();
    let floods: Vec<_> = (0..16).map(|_| flood(*idle)).collect();
    provoked.fires("FanfareShardSaturated", &[*busy]).await;
    let fired = provoked.lasts();
    drop(floods);
    provoked.is_over("FanfareShardSaturated", "a flood for 2,000 clients of one shard", fired).await;
}

/// Publishes as fast as it can. Ends when dropped.
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
async fn a_reload_finds_a_mistake() {
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
