//! Shards at work and at rest are told from shards that stand still.

use std::time::Duration;

use crate::support::{Setup, settle};

const HOUR: u64 = 3600;

#[tokio::test(start_paused = true)]
async fn shards_with_nothing_to_do_do_not_stand_still() {
    let node = Setup { shards: 4, ..Setup::default() }.memory();
    settle().await;
    let begun = node.hub.standstill();
    let mut longest = Duration::ZERO;
    for _ in 0..HOUR {
        tokio::time::sleep(Duration::from_secs(1)).await;
        longest = longest.max(node.hub.standstill().longest);
    }
    assert!(longest <= Duration::from_secs(2), "both of a shard's tasks beat each second: {longest:?}");
    assert_eq!((begun.shards, node.hub.standstill().since), (0, begun.since));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_frozen_is_not_judged_for_it() {
    let node = Setup { shards: 2, ..Setup::default() }.memory();
    settle().await;
    for _ in 0..3 {
        // As SIGSTOP does it: the clock goes on, and no task runs.
        tokio::time::advance(Duration::from_secs(HOUR)).await;
        let found = node.hub.standstill();
        assert!(found.shards == 0 && found.longest <= Duration::from_secs(2), "{found:?}");
    }
}
