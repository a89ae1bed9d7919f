//! Channels with history under longer faults, judged by the checker of `swarm verify --history`. `make chaos` has more.

use std::time::Duration;

use fanfare_testkit::chaos::{self, Settings, plan::Kind};

/// Half a minute of these faults. Every acknowledged message reaches every subscriber once, in order.
async fn nothing_is_lost(kinds: &[Kind]) {
    let (lasts, kinds) = (Duration::from_secs(30), kinds.to_vec());
    let settings =
        Settings { seed: 1, lasts, kinds, subscribers: 60, sdk: 0, plain: 30, rate: 150.0, logs: None };
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
