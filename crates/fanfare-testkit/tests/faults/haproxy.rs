//! 200 clients publish behind HAProxy while it is reloaded, killed and started again.

use fanfare_testkit::{Balancer, ClientGroup, Fleet, RedisServer, client_group::record::End, redis_server};

async fn behind_haproxy(name: &'static str) -> (RedisServer, Fleet, Balancer, ClientGroup) {
    let redis = redis_server().await;
    let fleet = Fleet::start([redis.url(), redis.url()]).await;
    let balancer = Balancer::start(&fleet.endpoints()).await;
    let group = ClientGroup::start_behind(name, balancer.endpoint()).await;
    (redis, fleet, balancer, group)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_haproxy_reload_disturbs_nobody() {
    let (_redis, _fleet, mut balancer, group) = behind_haproxy("HAProxy reloaded (-sf)").await;
    group.notices_nothing_of(async || balancer.reload().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_return_after_a_haproxy_kill() {
    let (_redis, _fleet, mut balancer, mut group) = behind_haproxy("HAProxy killed, restarted").await;
    group.fault_begins();
    balancer.kill().await;
    balancer.start_again().await;
    group.fault_ended().await;
    let verdict = group.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, end| matches!(end, End::Broken(_)));
    let broken: usize = verdict.ends.values().sum();
    assert_eq!(broken, 200, "each client's connection went through HAProxy: {verdict}");
}
