//! Channels with history under longer faults, judged by the checker of `swarm verify --history`. `make chaos` has more.

use std::time::Duration;

use fanfare_testkit::chaos::{
    self, Settings,
    plan::{Kind, Topology},
};

/// Half a minute of these faults. Every acknowledged message reaches every subscriber once, in order.
async fn nothing_is_lost(kinds: &[Kind]) {
    is_right(Topology::One, kinds).await;
}

/// The same on another Redis. A message that a failover lost is told.
async fn is_right(redis: Topology, kinds: &[Kind]) {
    let (lasts, kinds) = (Duration::from_secs(30), kinds.to_vec());
    let settings = Settings {
        seed: 1,
        lasts,
        redis,
        kinds,
        subscribers: 60,
        sdk: 0,
        plain: 30,
        rate: 150.0,
        logs: None,
    };
    let summary = chaos::run(&settings).await;
    eprintln!("{}", settings.line(&summary));
    assert!(summary.is_right(), "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn history_survives_a_frozen_redis() {
    nothing_is_lost(&[Kind::FreezeRedis]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn history_survives_killed_nodes() {
    nothing_is_lost(&[Kind::KillNode]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn history_survives_stalled_connections() {
    nothing_is_lost(&[Kind::Stall]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn sentinels_replace_a_killed_master() {
    is_right(Topology::Sentinel, &[Kind::KillMaster]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn sentinels_fail_over_by_order() {
    is_right(Topology::Sentinel, &[Kind::FailOver]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn an_isolated_master_takes_writes() {
    is_right(Topology::Sentinel, &[Kind::Isolate]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn one_of_three_servers_is_wiped() {
    is_right(Topology::Three, &[Kind::Wipe]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn a_cluster_replaces_a_killed_master() {
    is_right(Topology::Cluster, &[Kind::KillMaster]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn a_cluster_fails_over_by_order() {
    is_right(Topology::Cluster, &[Kind::FailOver]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn a_quarter_of_the_slots_moves() {
    is_right(Topology::Cluster, &[Kind::MoveSlots]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn an_isolated_master_of_a_cluster_takes_writes() {
    is_right(Topology::Cluster, &[Kind::Isolate]).await;
}
