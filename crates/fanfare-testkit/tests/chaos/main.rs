//! A short run of each kind of fault, judged by `swarm verify --history`. `make chaos` has the long ones.

use std::time::Duration;

use fanfare_testkit::chaos::{self, Settings, plan::Kind};

/// Some seconds of one kind of fault. Every acknowledged message reaches every subscriber once, in order.
async fn is_right(kind: Kind) {
    let lasts = Duration::from_secs(5);
    let (subscribers, plain) = (18, 12);
    let settings =
        Settings { seed: 1, lasts, kinds: vec![kind], subscribers, sdk: 0, plain, rate: 60.0, logs: None };
    let summary = chaos::run(&settings).await;
    assert!(summary.is_right(), "{summary}");
}

macro_rules! each {
    ($($name:ident: $kind:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                is_right(Kind::$kind).await;
            }
        )+

        #[test]
        fn each_kind_has_its_run() {
            assert_eq!(Kind::ALL, [$(Kind::$kind),+]);
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
