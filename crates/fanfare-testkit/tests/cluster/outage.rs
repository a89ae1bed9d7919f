//! Redis fails and returns: nodes report it, accept nothing that they cannot carry, and continue.

use std::{collections::BTreeSet, ops::RangeInclusive, sync::Arc};

use fanfare_testkit::{
    Client, Direction, Endpoint, Proxy, RedisServer, Setup, TestCluster, assert_eventually, redis_server,
    within,
};
use parking_lot::Mutex;
use serde_json::json;
use tokio_util::sync::CancellationToken;

const IMPATIENT: &str = "limits.handshake = \"300ms\"\nlimits.publish_wait = \"50ms\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_broker_an_upgrade_gets_503() {
    let mut cluster = TestCluster::start_with(1, IMPATIENT).await;
    cluster.redis.kill().await.unwrap();
    let node = &cluster.nodes[0];
    node.is_unready().await;
    node.get("/healthz").await.is(200, "ok");
    let answer = node.upgrade("/chat", &[]).await;
    answer.is(503, "did not confirm the subscription in time");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let ready = node.get("/readyz").await;
    assert_eq!((ready.status, ready.json()["ok"] == false), (503, true));
    cluster.redis.restart().await.unwrap();
    node.is_ready().await;
    assert_eq!(node.upgrade("/chat", &[]).await.status, 101);
    node.sees(&[("node-1", 0)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_without_redis() {
    let mut redis = redis_server().await;
    redis.kill().await.unwrap();
    let node = Setup::redis(&redis.url()).toml(IMPATIENT).start_unready();
    node.get("/healthz").await.is(200, "ok");
    node.get("/readyz").await.is(503, "away");
    assert_eq!(node.upgrade("/chat", &[]).await.status, 503);
    redis.restart().await.unwrap();
    node.is_ready().await;
    let mut client = node.connect("/chat").await;
    client.text("hello").await;
    client.expect("hello").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_channel_gets_403() {
    let redis = redis_server().await;
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg("gateway").arg("reset").arg("on").arg(">right").arg("~*").arg("+@all");
    let () = redis.run(acl.arg("&fanfare!*").arg("&fanfare:open*")).await.unwrap();
    let url = format!("redis://gateway:right@127.0.0.1:{}", redis.port());
    let node = Setup::redis(&url).start().await;
    let answer = node.upgrade("/secret", &[]).await;
    answer.is(403, "does not permit this node to subscribe to this channel");
    assert_eq!(answer.header("retry-after"), None);
    let answer = node.post(&json!({"channel": "secret", "data": "x"})).await;
    answer.is(403, "does not permit this node to publish on this channel");
    assert_eq!(answer.json()["error"]["reason"], "forbidden");
    let mut client = node.connect("/open").await;
    node.publish("open", "hello").await;
    client.expect("hello").await;
    // Without the right to publish at all, the node itself has failed.
    let () = redis.run(redis::cmd("ACL").arg("SETUSER").arg("gateway").arg("-publish")).await.unwrap();
    let answer = node.post(&json!({"channel": "open", "data": "x"})).await;
    answer.is(503, "Redis answers NOPERM");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unconfirmed_subscription_gets_503() {
    let redis = redis_server().await;
    let proxy = Proxy::start(redis.port()).await;
    let node = Setup::redis(&proxy.url()).toml(IMPATIENT).start().await;
    let mut stays = node.connect("/stays").await;
    proxy.stall(Direction::ToClient);
    let answer = node.upgrade("/chat", &[]).await;
    answer.is(503, "did not confirm");
    assert_eq!(answer.header("retry-after"), Some("1"));
    proxy.resume(Direction::ToClient);
    let mut client = node.connect("/chat").await;
    client.text("hello").await;
    client.expect("hello").await;
    stays.text("hello").await;
    stays.expect("hello").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_redis_restart_clients_get_all() {
    let mut cluster = TestCluster::start_with(2, IMPATIENT).await;
    let mut clients = Vec::new();
    for channel in 0..50 {
        for node in &cluster.nodes {
            clients.push((channel, node.connect(&format!("/ws/c{channel}")).await));
        }
    }
    for round in 0..2 {
        cluster.redis.kill().await.unwrap();
        for node in &cluster.nodes {
            node.is_unready().await;
            node.get("/healthz").await.is(200, "ok");
        }
        cluster.redis.restart().await.unwrap();
        for node in &cluster.nodes {
            node.is_ready().await;
        }
        for channel in 0..50 {
            let node = &cluster.nodes[channel % 2];
            node.publish(&format!("c{channel}"), format!("{round} {channel}")).await;
        }
        for (channel, client) in &mut clients {
            client.expect(&format!("{round} {channel}")).await;
        }
    }
}

/// The outcome of each number published through the API.
#[derive(Debug, Default)]
struct Outcomes {
    begun: u32,
    taken: BTreeSet<u32>,
    unknown: BTreeSet<u32>,
    refused: BTreeSet<u32>,
}

/// Publishes numbers, one after another, until it is told to stop.
async fn publish_numbers(node: Endpoint, outcomes: Arc<Mutex<Outcomes>>, stop: CancellationToken) {
    for number in 0.. {
        if stop.is_cancelled() {
            return;
        }
        outcomes.lock().begun = number;
        let answer = node.post(&json!({"channel": "numbers", "data": number.to_string()})).await;
        let mut outcomes = outcomes.lock();
        match answer.status {
            200 => outcomes.taken.insert(number),
            503 => outcomes.refused.insert(number),
            504 => outcomes.unknown.insert(number),
            other => panic!("{other}: {}", answer.text()),
        };
    }
}

/// Notes the numbers that a client gets.
async fn note_numbers(mut client: Client, seen: Arc<Mutex<Vec<u32>>>) {
    loop {
        let message = client.next().await;
        seen.lock().push(message.to_text().unwrap().parse().unwrap());
    }
}

/// Waits until every client has a number published from now on. Returns the first such, and the last that all have.
async fn calm(outcomes: &Mutex<Outcomes>, seen: &[Arc<Mutex<Vec<u32>>>]) -> RangeInclusive<u32> {
    let first = outcomes.lock().begun + 1;
    let last = || seen.iter().map(|seen| seen.lock().last().copied().unwrap_or(0)).min().unwrap_or(0);
    assert_eventually!(last() > first + 20, "numbers flow: {} after {first}", last());
    first..=last()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_double_and_reorder_nothing() {
    let mut cluster = TestCluster::start_with(2, IMPATIENT).await;
    let (outcomes, stop) = (Arc::new(Mutex::new(Outcomes::default())), CancellationToken::new());
    let seen = [Arc::default(), Arc::default()];
    for (node, seen) in cluster.nodes.iter().zip(&seen) {
        tokio::spawn(note_numbers(node.connect("/ws/numbers").await, Arc::clone(seen)));
    }
    let publisher = tokio::spawn(publish_numbers(*cluster.nodes[0], outcomes.clone(), stop.clone()));
    let mut calms = vec![calm(&outcomes, &seen).await];
    for _ in 0..3 {
        cluster.redis.kill().await.unwrap();
        for node in &cluster.nodes {
            node.is_unready().await;
        }
        let refused = || outcomes.lock().refused.len();
        let before = refused();
        assert_eventually!(refused() > before, "while Redis is away publishes are refused");
        cluster.redis.restart().await.unwrap();
        for node in &cluster.nodes {
            node.is_ready().await;
        }
        calms.push(calm(&outcomes, &seen).await);
    }
    stop.cancel();
    within("the publisher stops", publisher).await.unwrap();
    let Outcomes { taken, unknown, refused, .. } = std::mem::take(&mut *outcomes.lock());
    for seen in &seen {
        let seen = seen.lock();
        assert!(seen.is_sorted_by(|a, b| a < b), "doubled or reordered: {seen:?}");
        let wrong: Vec<_> = seen.iter().filter(|number| refused.contains(number)).collect();
        assert!(wrong.is_empty(), "refused, and delivered: {wrong:?}");
        assert!(seen.iter().all(|number| taken.contains(number) || unknown.contains(number)));
        let lost = |number: &&u32| seen.binary_search(number).is_err();
        for calm in &calms {
            let lost: Vec<_> = taken.range(calm.clone()).filter(lost).collect();
            assert!(lost.is_empty(), "taken in a calm, and lost: {lost:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_publish_is_never_repeated() {
    let cluster = TestCluster::start(1).await;
    let proxy = Proxy::start(cluster.redis.port()).await;
    let setup = Setup::redis(&proxy.url()).named("publishing").toml("limits.publish_wait = \"1m\"");
    let publishing = setup.start().await;
    // Not through the proxy: this client's node is never interrupted.
    let mut client = cluster.nodes[0].connect("/ws/numbers").await;
    for round in 0..20 {
        let (taken, unknown) = (format!("taken {round}"), format!("unknown {round}"));
        publishing.publish("numbers", taken.as_str()).await;
        client.expect(&taken).await;
        proxy.stall(Direction::ToClient);
        let (endpoint, body) = (*publishing, json!({"channel": "numbers", "data": unknown}));
        let answer = tokio::spawn(async move { endpoint.post(&body).await });
        client.expect(&unknown).await;
        proxy.cut();
        proxy.resume(Direction::ToClient);
        within("the API answers", answer).await.unwrap().is(504, "may still be delivered");
    }
    publishing.publish("numbers", "end").await;
    client.expect("end").await;
}

/// The number of NOPERM errors in Redis.
async fn refusals(redis: &RedisServer) -> usize {
    let info: String = redis.run(redis::cmd("INFO").arg("errorstats")).await.unwrap();
    let count = info.lines().find_map(|line| line.strip_prefix("errorstat_NOPERM:count="));
    count.map_or(0, |count| count.parse().unwrap())
}

/// Forbids PUBLISH on channels, and nothing else: the canary still works.
async fn forbid_to_publish(redis: &RedisServer) {
    let mut rules = redis::cmd("ACL");
    rules.arg("SETUSER").arg("default").arg("-publish").arg("(+publish resetchannels &fanfare!*)");
    let () = redis.run(&rules).await.unwrap();
}

async fn permit_to_publish(redis: &RedisServer) {
    let mut rules = redis::cmd("ACL");
    rules.arg("SETUSER").arg("default").arg("+publish").arg("clearselectors");
    let () = redis.run(&rules).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_before_a_delivery_is_unknown() {
    let cluster = TestCluster::start(1).await;
    let redis = &cluster.redis;
    let proxy = Proxy::start(redis.port()).await;
    let toml = "limits.publish_wait = \"1m\"\n[[namespace]]\necho = false";
    let publishing = Setup::redis(&proxy.url()).named("publishing").toml(toml).start().await;
    for round in 0..5 {
        // A channel for each round: the last message of a round comes late to a node whose Redis stood still.
        let path = format!("/ws/lane-{round}");
        let mut listener = cluster.nodes[0].connect(&path).await;
        let mut sender = publishing.connect(&path).await;
        // Redis refuses the first and takes the second; the node reads both answers after that.
        proxy.stall(Direction::ToClient);
        let before = refusals(redis).await;
        forbid_to_publish(redis).await;
        sender.text(&format!("refused {round}")).await;
        assert_eventually!(refusals(redis).await > before, "Redis refuses the message");
        permit_to_publish(redis).await;
        sender.text(&format!("delivered {round}")).await;
        listener.expect(&format!("delivered {round}")).await;
        proxy.resume(Direction::ToClient);
        let (code, reason) = sender.closed().await;
        assert_eq!(code, 1013);
        assert!(reason.contains("unknown"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interruption_closes_clients_if_configured() {
    let redis = redis_server().await;
    let closes = "[[namespace]]\nname = \"news\"\non_interruption = \"close\"\n";
    let node = Setup::redis(&redis.url()).toml(closes).start().await;
    let (news, mut chat) = (node.connect("/ws/news:1").await, node.connect("/ws/chat:1").await);
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("TYPE").arg("pubsub");
    let _killed: usize = redis.run(&kill).await.unwrap();
    let (code, reason) = news.closed().await;
    assert_eq!(code, 1012);
    assert!(reason.contains("may have been missed"), "{reason}");
    node.is_ready().await;
    chat.text("still here").await;
    chat.expect("still here").await;
    let metrics = node.get("/metrics").await;
    for line in [
        "fanfare_broker_interruptions_total{reason=\"lost\"} 1",
        "fanfare_broker_state{state=\"up\"} 1",
        "fanfare_connections_closed_total{code=\"1012\",dialect=\"relay\",reason=\"interrupted\"} 1",
        "fanfare_publications_missed_total 0",
    ] {
        assert!(metrics.text().contains(line), "{line}");
    }
}
