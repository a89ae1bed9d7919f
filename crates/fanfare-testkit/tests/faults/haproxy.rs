//! What becomes of 200 clients that keep publishing behind HAProxy when that is reloaded, killed and started again.

use std::time::Duration;

use fanfare_testkit::{Balancer, Chorus, Fleet, RedisServer, chorus::record::End, redis_server};

async fn behind_haproxy(name: &'static str) -> (RedisServer, Fleet, Balancer, Chorus) {
    let redis = redis_server().await;
    let fleet = Fleet::start([redis.url(), redis.url()]).await;
    let balancer = Balancer::start(&fleet.endpoints()).await;
    let chorus = Chorus::start_behind(name, balancer.endpoint()).await;
    (redis, fleet, balancer, chorus)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn haproxy_is_reloaded_and_nobody_notices() {
    let (_redis, _fleet, mut balancer, mut chorus) = behind_haproxy("HAProxy reloaded (-sf)").await;
    for _ in 0..3 {
        chorus.fault_begins();
        balancer.reload().await;
        chorus.sings_for(Duration::from_millis(500)).await;
        chorus.fault_ended().await;
    }
    let verdict = chorus.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, _| false);
    assert!(verdict.turned_away.is_empty(), "{:?}", verdict.turned_away);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn haproxy_is_killed_and_started_again_and_all_come_back() {
    let (_redis, _fleet, mut balancer, mut chorus) = behind_haproxy("HAProxy killed, restarted").await;
    chorus.fault_begins();
    balancer.kill().await;
    balancer.start_again().await;
    chorus.fault_ended().await;
    let verdict = chorus.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, end| matches!(end, End::Broken(_)));
    let broken: usize = verdict.ends.values().sum();
    assert_eq!(broken, 200, "each client's connection went through it: {verdict}");
}
