//! A short run of each kind of fault that one server of Redis can have, and on several servers, judged by `swarm verify --history`. `make chaos` has the long ones.

use std::time::Duration;

use fanfare_testkit::chaos::{
    self, Settings,
    plan::{Kind, Topology},
};

/// Some seconds of some kinds of faults. Every acknowledged message reaches every subscriber once, in order.
async fn is_right(redis: Topology, kinds: &[Kind]) {
    let (lasts, kinds) = (Duration::from_secs(5), kinds.to_vec());
    let (subscribers, plain) = (18, 12);
    let settings =
        Settings { seed: 1, lasts, redis, kinds, subscribers, sdk: 0, plain, rate: 60.0, logs: None };
    let summary = chaos::run(&settings).await;
    assert!(summary.is_right(), "{summary}");
}

macro_rules! each {
    ($($name:ident: $kind:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                is_right(Topology::One, &[Kind::$kind]).await;
            }
        )+

        #[test]
        fn each_kind_has_its_run() {
            assert_eq!(Kind::of(Topology::One).collect::<Vec<_>>(), [$(Kind::$kind),+]);
        }
    };
}

each! {
    kill_node: KillNode,
    freeze_node: FreezeNode,
    freeze_redis: FreezeRedis,
    kill_normal: KillNormal,
    kill_pubsub: KillPubsub,
    output_limit: OutputLimit,
    cut: Cut,
    stall: Stall,
    drop_clients: Drop,
    rolling: Rolling,
    wipe: Wipe,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_servers_is_wiped() {
    is_right(Topology::Three, &[Kind::Wipe, Kind::FreezeRedis]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_masters_take_writes() {
    is_right(Topology::Sentinel, &[Kind::Isolate]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_replaces_a_killed_master() {
    is_right(Topology::Cluster, &[Kind::KillMaster]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_of_a_cluster_move() {
    is_right(Topology::Cluster, &[Kind::MoveSlots]).await;
}
