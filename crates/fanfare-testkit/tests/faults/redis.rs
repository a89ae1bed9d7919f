//! 200 clients publish on two nodes while Redis fails in many ways. No message is doubled or out of order, and a message
//! that did not arrive everywhere was refused, unknown, or sent in a counted interruption.

use std::time::Duration;

use fanfare_testkit::{
    ClientGroup, Direction, Fleet, Process, Proxy, RedisServer,
    acl::{set_rules, with_user},
    assert_eventually,
    client_group::{record::End, verdict::Verdict},
    redis_server,
};

async fn two_nodes(redis: &RedisServer) -> Fleet {
    Fleet::start([redis.url(), redis.url()]).await
}

/// Two nodes, each through a proxy of its own.
async fn two_nodes_by_proxies(redis: &RedisServer) -> ([Proxy; 2], Fleet) {
    let proxies = [Proxy::start(redis.port()).await, Proxy::start(redis.port()).await];
    let fleet = Fleet::start([proxies[0].url(), proxies[1].url()]).await;
    (proxies, fleet)
}

/// Judges. Only sessions whose messages were not taken were closed.
async fn only_senders_are_closed(group: ClientGroup) -> Verdict {
    let verdict = group.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, end| matches!(end, End::Refused | End::Unknown));
    verdict
}

/// Judges. No session was closed, and no message missed.
async fn nobody_noticed(group: ClientGroup) {
    let verdict = group.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, _| false);
    assert_eq!(verdict.missed(), 0, "{verdict}");
    assert!(verdict.rejected.is_empty(), "{:?}", verdict.rejected);
}

/// `CLIENT KILL TYPE ..`. Returns the number of killed connections.
async fn kill_clients(redis: &RedisServer, kind: &str) -> usize {
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("TYPE").arg(kind).arg("SKIPME").arg("yes");
    redis.run(&kill).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_killed_and_restarted_empty() {
    let mut redis = redis_server().await;
    let fleet = two_nodes(&redis).await;
    let mut group = ClientGroup::start("Redis killed, restarted empty", &fleet.endpoints()).await;
    group.fault_begins();
    redis.kill().await.unwrap();
    redis.restart().await.unwrap();
    group.fault_ended().await;
    let verdict = only_senders_are_closed(group).await;
    assert_eq!(verdict.counted.len(), 2, "both nodes counted an interruption: {verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_kills_its_pubsub_connections() {
    let redis = redis_server().await;
    let fleet = two_nodes(&redis).await;
    let mut group = ClientGroup::start("CLIENT KILL TYPE pubsub", &fleet.endpoints()).await;
    for _ in 0..3 {
        group.fault_begins();
        assert_eq!(kill_clients(&redis, "pubsub").await, 2);
        group.fault_ended().await;
    }
    let verdict = group.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, _| false);
    assert_eq!(verdict.counted.len(), 2, "both nodes counted their interruptions: {verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_connection_is_cut_in_flight() {
    let redis = redis_server().await;
    let (proxies, fleet) = two_nodes_by_proxies(&redis).await;
    let mut group = ClientGroup::start("publisher cut, commands in flight", &fleet.endpoints()).await;
    group.fault_begins();
    // Redis executes the commands, and its answers do not come.
    proxies[0].stall(Direction::ToClient);
    group.publishes_for(Duration::from_millis(500)).await;
    proxies[0].cut();
    proxies[0].resume(Direction::ToClient);
    group.fault_ended().await;
    let verdict = only_senders_are_closed(group).await;
    verdict.ended_only(|entrance, _| entrance == 0);
    assert!(verdict.ends.contains_key(&(0, End::Unknown)), "senders got a close: {verdict}");
    assert!(verdict.interrupted.keys().all(|node| *node == 0), "the other node missed nothing: {verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_slow_by_500_ms() {
    let redis = redis_server().await;
    let (proxies, fleet) = two_nodes_by_proxies(&redis).await;
    let mut group = ClientGroup::start("Redis slow by 500 ms", &fleet.endpoints()).await;
    group.fault_begins();
    for direction in [Direction::ToServer, Direction::ToClient] {
        proxies[0].delay(direction, Duration::from_millis(250));
    }
    group.publishes_for(Duration::from_secs(3)).await;
    for direction in [Direction::ToServer, Direction::ToClient] {
        proxies[0].delay(direction, Duration::ZERO);
    }
    group.fault_ended().await;
    nobody_noticed(group).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_heard_a_byte_at_a_time() {
    let redis = redis_server().await;
    let (proxies, fleet) = two_nodes_by_proxies(&redis).await;
    let mut group = ClientGroup::start("Redis by the byte", &fleet.endpoints()).await;
    group.fault_begins();
    for direction in [Direction::ToServer, Direction::ToClient] {
        proxies[0].chop(direction, true);
    }
    group.publishes_for(Duration::from_secs(2)).await;
    for direction in [Direction::ToServer, Direction::ToClient] {
        proxies[0].chop(direction, false);
    }
    group.fault_ended().await;
    nobody_noticed(group).await;
}

/// Redis does not answer for this time, and no connection to it ends.
async fn frozen(name: &'static str, time: Duration) {
    let redis = redis_server().await;
    let fleet = two_nodes(&redis).await;
    let mut group = ClientGroup::start(name, &fleet.endpoints()).await;
    group.fault_begins();
    redis.stop_process().unwrap();
    group.publishes_for(time).await;
    redis.continue_process().unwrap();
    group.fault_ended().await;
    only_senders_are_closed(group).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn redis_stopped_for_5_s() {
    frozen("Redis stopped for 5 s", Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn redis_frozen_for_20_s() {
    frozen("Redis frozen for 20 s", Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn redis_killed_and_away_for_5_s() {
    let mut redis = redis_server().await;
    let fleet = two_nodes(&redis).await;
    let mut group = ClientGroup::start("Redis killed, away for 5 s", &fleet.endpoints()).await;
    group.fault_begins();
    redis.kill().await.unwrap();
    group.publishes_for(Duration::from_secs(5)).await;
    redis.restart().await.unwrap();
    group.fault_ended().await;
    let verdict = only_senders_are_closed(group).await;
    assert!(verdict.refused > 0, "while Redis is away senders get a close: {verdict}");
}

/// A master and its replica, in sync.
async fn replica_pair() -> (RedisServer, RedisServer) {
    let (master, replica) = (redis_server().await, redis_server().await);
    replica_of(&replica, Some(&master)).await;
    assert_eventually!(link(&replica).await == "up", "the replica is in sync");
    (master, replica)
}

async fn replica_of(redis: &RedisServer, master: Option<&RedisServer>) {
    let mut command = redis::cmd("REPLICAOF");
    match master {
        Some(master) => command.arg("127.0.0.1").arg(master.port()),
        None => command.arg("NO").arg("ONE"),
    };
    let () = redis.run(&command).await.unwrap();
}

async fn link(replica: &RedisServer) -> String {
    info(replica, "replication", "master_link_status").await
}

/// A field of `INFO`; empty for an unknown field.
async fn info(redis: &RedisServer, section: &str, field: &str) -> String {
    let info: String = redis.run(redis::cmd("INFO").arg(section)).await.unwrap();
    let value = |line: &str| Some(line.strip_prefix(field)?.strip_prefix(':')?.to_owned());
    info.lines().find_map(value).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_is_demoted_unnoticed() {
    let (old, new) = replica_pair().await;
    let (proxies, fleet) = two_nodes_by_proxies(&old).await;
    let mut group = ClientGroup::start("master demoted (REPLICAOF)", &fleet.endpoints()).await;
    group.fault_begins();
    replica_of(&new, None).await;
    replica_of(&old, Some(&new)).await;
    for proxy in &proxies {
        proxy.lead_to(new.port());
    }
    // The other node's connections stay with the demoted master, which still takes PUBLISH.
    proxies[0].cut();
    group.fault_ended().await;
    only_senders_are_closed(group).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_masters_have_a_node_each() {
    let (old, new) = (redis_server().await, redis_server().await);
    let (proxies, fleet) = two_nodes_by_proxies(&old).await;
    let mut group = ClientGroup::start("two masters, nodes on each", &fleet.endpoints()).await;
    group.fault_begins();
    for proxy in &proxies {
        proxy.lead_to(new.port());
    }
    // The other node does not learn that its address leads elsewhere.
    proxies[0].cut();
    let stayed = &fleet.nodes[1];
    assert_eventually!(
        stayed.get("/readyz").await.text().contains("\"split\""),
        "the node is ready, and split"
    );
    let interruptions = "fanfare_broker_interruptions_total{reason=\"split\"}";
    for node in &fleet.nodes {
        assert_eventually!(node.metric(interruptions).await > 0.0, "both nodes count the split");
    }
    stayed.is_ready().await;
    group.fault_ended().await;
    only_senders_are_closed(group).await;
}

/// The ids of the subscriber connections in Redis.
async fn subscribers(redis: &RedisServer) -> Vec<String> {
    let clients: String =
        redis.run(redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("pubsub")).await.unwrap();
    clients.lines().filter_map(|client| client.split(' ').next().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_kills_a_stalled_subscriber() {
    let limit = ["--client-output-buffer-limit", "pubsub", "1mb", "1mb", "1"];
    let redis = RedisServer::start_with(&limit).await.unwrap();
    let (proxies, fleet) = two_nodes_by_proxies(&redis).await;
    let _ballast = fleet.nodes[0].connect("/ws/ballast").await;
    let mut group = ClientGroup::start("subscriber killed at output limit", &fleet.endpoints()).await;
    group.fault_begins();
    let before = subscribers(&redis).await;
    proxies[0].stall_subscribers(Direction::ToClient);
    let mut ballast = redis::cmd("PUBLISH");
    ballast.arg("fanfare:ballast").arg(vec![b'x'; 60_000]);
    loop {
        for _ in 0..50 {
            let _heard: usize = redis.run(&ballast).await.unwrap();
        }
        let now = subscribers(&redis).await;
        if before.iter().any(|client| !now.contains(client)) {
            break;
        }
    }
    proxies[0].resume(Direction::ToClient);
    group.fault_ended().await;
    let verdict = only_senders_are_closed(group).await;
    assert!(verdict.counted.contains_key(&0), "its node counted it: {verdict}");
    assert!(verdict.interrupted.keys().all(|node| *node == 0), "the other node missed nothing: {verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn redis_restarted_and_loading() {
    // Some seconds of -LOADING: keys that load slowly, and a Redis that answers in between.
    let slow = ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"];
    let mut redis = RedisServer::start_with(&slow).await.unwrap();
    let mut fill = redis::cmd("EVAL");
    fill.arg("for i = 1, 2000 do redis.call('SET', 'key' .. i, string.rep('x', 100)) end").arg(0);
    let () = redis.run(&fill).await.unwrap();
    let () = redis.run(&redis::cmd("SAVE")).await.unwrap();
    let fleet = two_nodes(&redis).await;
    let mut group = ClientGroup::start("Redis restarted, -LOADING", &fleet.endpoints()).await;
    group.fault_begins();
    redis.restart().await.unwrap();
    assert_eq!(info(&redis, "persistence", "loading").await, "1");
    assert_eventually!(info(&redis, "persistence", "loading").await == "0", "Redis has loaded");
    group.fault_ended().await;
    only_senders_are_closed(group).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_takes_no_writes() {
    let redis = redis_server().await;
    let fleet = two_nodes(&redis).await;
    let mut group = ClientGroup::start("Redis says -MISCONF", &fleet.endpoints()).await;
    let dir: Vec<String> = redis.run(redis::cmd("CONFIG").arg("GET").arg("dir")).await.unwrap();
    let in_the_way = std::path::Path::new(&dir[1]).join("dump.rdb");
    std::fs::create_dir(&in_the_way).unwrap();
    group.fault_begins();
    let () = redis.run(redis::cmd("CONFIG").arg("SET").arg("save").arg("3600 1000000")).await.unwrap();
    let () = redis.run(&redis::cmd("BGSAVE")).await.unwrap();
    let mut set = redis::cmd("SET");
    set.arg("a").arg("b");
    let is_refused = || async {
        let set: redis::RedisResult<()> = redis.run(&set).await;
        set.is_err_and(|error| error.code() == Some("MISCONF"))
    };
    assert_eventually!(is_refused().await, "Redis takes no writes");
    group.publishes_for(Duration::from_secs(3)).await;
    std::fs::remove_dir(&in_the_way).unwrap();
    let () = redis.run(&redis::cmd("BGSAVE")).await.unwrap();
    assert_eventually!(!is_refused().await, "Redis takes writes");
    group.fault_ended().await;
    nobody_noticed(group).await;
}

async fn two_nodes_as_a_user(redis: &RedisServer) -> Fleet {
    let url = with_user(redis).await;
    Fleet::start([&url, &url]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_forbids_publish_for_a_while() {
    let redis = redis_server().await;
    let fleet = two_nodes_as_a_user(&redis).await;
    let mut group = ClientGroup::start("-NOPERM for PUBLISH", &fleet.endpoints()).await;
    group.fault_begins();
    set_rules(&redis, &["-publish"]).await;
    group.publishes_for(Duration::from_secs(2)).await;
    set_rules(&redis, &["+publish"]).await;
    group.fault_ended().await;
    let verdict = only_senders_are_closed(group).await;
    assert!(verdict.refused > 0, "senders got a close: {verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn redis_forbids_the_channels_for_a_while() {
    let redis = redis_server().await;
    let fleet = two_nodes_as_a_user(&redis).await;
    let mut group = ClientGroup::start("-NOPERM for the channels", &fleet.endpoints()).await;
    group.fault_begins();
    set_rules(&redis, &["resetchannels"]).await;
    group.publishes_for(Duration::from_secs(3)).await;
    set_rules(&redis, &["allchannels"]).await;
    group.fault_ended().await;
    let verdict = only_senders_are_closed(group).await;
    assert_eq!(verdict.counted.len(), 2, "both nodes counted it: {verdict}");
    assert!(fleet.nodes[0].log().contains("NOPERM"), "{}", fleet.nodes[0].log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn the_password_changes_and_back() {
    let redis = redis_server().await;
    let fleet = two_nodes_as_a_user(&redis).await;
    let mut group = ClientGroup::start("wrong password under way", &fleet.endpoints()).await;
    group.fault_begins();
    set_rules(&redis, &["resetpass", ">other"]).await;
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("USER").arg("gateway");
    let _killed: usize = redis.run(&kill).await.unwrap();
    for node in &fleet.nodes {
        node.is_unready().await;
        assert_eventually!(node.log().contains("WRONGPASS"), "the log names it: {}", node.log());
        assert!(!node.log().contains("right"), "{}", node.log());
    }
    set_rules(&redis, &[">right"]).await;
    group.fault_ended().await;
    only_senders_are_closed(group).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_logged_until_right() {
    let redis = redis_server().await;
    let url = with_user(&redis).await.replace("right", "hunter2");
    let node = Process::start_unready("node-1", &url).await;
    assert_eventually!(node.log().contains("WRONGPASS"), "the log names it: {}", node.log());
    node.get("/healthz").await.is(200, "ok");
    node.get("/readyz").await.is(503, "away");
    set_rules(&redis, &[">hunter2"]).await;
    node.is_ready().await;
    assert!(!node.log().contains("hunter2"), "{}", node.log());
    let mut client = node.connect("/chat").await;
    client.text("hello").await;
    client.expect("hello").await;
}
