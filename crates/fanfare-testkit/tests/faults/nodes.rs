//! What becomes of 200 clients that keep publishing when one of three nodes fails or leaves: those of the other two
//! notice nothing, those of the one come back elsewhere.

use std::time::Duration;

use fanfare_testkit::{Chorus, Fleet, RedisServer, chorus::record::End, redis_server};

/// The node that it happens to.
const ONE: usize = 2;

async fn three_nodes(name: &'static str) -> (RedisServer, Fleet, Chorus) {
    let redis = redis_server().await;
    let fleet = Fleet::start([redis.url(), redis.url(), redis.url()]).await;
    let chorus = Chorus::start(name, &fleet.endpoints()).await;
    (redis, fleet, chorus)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_is_noticed_by_its_own_clients_only() {
    let (_redis, mut fleet, mut chorus) = three_nodes("node SIGKILLed").await;
    chorus.fault_begins();
    fleet.nodes[ONE].kill().await;
    chorus.fault_ended().await;
    let verdict = chorus.finish().await;
    verdict.is_right();
    verdict.ended_only(|entrance, end| entrance == ONE && matches!(end, End::Broken(_)));
    assert_eq!(verdict.missed(), 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_node_sends_its_own_clients_away_and_the_others_notice_nothing() {
    let (_redis, mut fleet, mut chorus) = three_nodes("node drained (SIGTERM)").await;
    chorus.fault_begins();
    fleet.nodes[ONE].terminate();
    let status = fleet.nodes[ONE].wait().await;
    assert_eq!(status.code(), Some(0), "{status}: {}", fleet.nodes[ONE].log());
    chorus.fault_ended().await;
    let verdict = chorus.finish().await;
    verdict.is_right();
    verdict.ended_only(|entrance, end| entrance == ONE && matches!(end, End::Closed(1012, _)));
    assert_eq!(verdict.missed(), 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn a_node_frozen_for_20_s_delivers_all_it_owes_once_it_goes_on() {
    let (_redis, fleet, mut chorus) = three_nodes("node SIGSTOPped for 20 s").await;
    chorus.fault_begins();
    fleet.nodes[ONE].freeze();
    chorus.sings_for(Duration::from_secs(20)).await;
    fleet.nodes[ONE].thaw();
    chorus.fault_ended().await;
    let verdict = chorus.finish().await;
    verdict.is_right();
    verdict.ended_only(|entrance, _| entrance == ONE);
    assert!(verdict.interrupted.keys().all(|node| *node == ONE), "the others missed nothing: {verdict}");
}
