//! 200 clients publish while one of three nodes fails or leaves: clients of the other nodes notice nothing, and its own
//! clients reconnect elsewhere.

use std::time::Duration;

use fanfare_testkit::{ClientGroup, Fleet, RedisServer, client_group::record::End, redis_server};

/// The node that fails.
const ONE: usize = 2;

async fn three_nodes(name: &'static str) -> (RedisServer, Fleet, ClientGroup) {
    let redis = redis_server().await;
    let fleet = Fleet::start([redis.url(), redis.url(), redis.url()]).await;
    let group = ClientGroup::start(name, &fleet.endpoints()).await;
    (redis, fleet, group)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_its_own_clients_notice_a_kill() {
    let (_redis, mut fleet, mut group) = three_nodes("node SIGKILLed").await;
    group.fault_begins();
    fleet.nodes[ONE].kill().await;
    group.fault_ended().await;
    let verdict = group.finish().await;
    verdict.is_right();
    verdict.ended_only(|entrance, end| entrance == ONE && matches!(end, End::Broken(_)));
    assert_eq!(verdict.missed(), 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_its_own_clients_notice_a_drain() {
    let (_redis, mut fleet, mut group) = three_nodes("node drained (SIGTERM)").await;
    group.fault_begins();
    fleet.nodes[ONE].terminate();
    let status = fleet.nodes[ONE].wait().await;
    assert_eq!(status.code(), Some(0), "{status}: {}", fleet.nodes[ONE].log());
    group.fault_ended().await;
    let verdict = group.finish().await;
    verdict.is_right();
    verdict.ended_only(|entrance, end| entrance == ONE && matches!(end, End::Closed(1012, _)));
    assert_eq!(verdict.missed(), 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn a_frozen_node_delivers_after_it_thaws() {
    let (_redis, fleet, mut group) = three_nodes("node SIGSTOPped for 20 s").await;
    group.fault_begins();
    fleet.nodes[ONE].freeze();
    group.publishes_for(Duration::from_secs(20)).await;
    fleet.nodes[ONE].thaw();
    group.fault_ended().await;
    let verdict = group.finish().await;
    verdict.is_right();
    verdict.ended_only(|entrance, _| entrance == ONE);
    assert!(verdict.interrupted.keys().all(|node| *node == ONE), "the others missed nothing: {verdict}");
}
