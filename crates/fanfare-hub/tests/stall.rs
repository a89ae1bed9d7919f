//! The stall check tells busy and idle shards from stalled ones.

use std::{sync::mpsc, time::Duration};

use fanfare_hub::Stall;
use tokio::sync::oneshot;

use crate::support::{Node, Setup, ends, settle};

const HOUR: u64 = 3600;

#[tokio::test(start_paused = true)]
async fn idle_shards_are_not_stalled() {
    let node = Setup { shards: 4, ..Setup::default() }.memory();
    settle().await;
    let begun = node.hub.stall();
    let mut longest = Duration::ZERO;
    for _ in 0..HOUR {
        tokio::time::sleep(Duration::from_secs(1)).await;
        longest = longest.max(node.hub.stall().longest);
    }
    assert!(longest <= Duration::from_secs(2), "both of a shard's tasks beat each second: {longest:?}");
    assert_eq!((begun.shards, node.hub.stall().since), (0, begun.since));
}

#[tokio::test(start_paused = true)]
async fn a_frozen_node_is_not_stalled() {
    let node = Setup { shards: 2, ..Setup::default() }.memory();
    settle().await;
    for _ in 0..3 {
        // As with SIGSTOP: the clock goes on, and no task runs.
        tokio::time::advance(Duration::from_secs(HOUR)).await;
        let found = node.hub.stall();
        assert!(found.shards == 0 && found.longest <= Duration::from_secs(2), "{found:?}");
    }
}

/// Waits until the check found this.
async fn finds(node: &Node, what: impl Fn(&Stall) -> bool) {
    ends(async {
        while !what(&node.hub.stall()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_stuck_tick_is_found() {
    let node = Setup { shards: 2, ..Setup::default() }.memory();
    let client = node.client_in(&["a"]).await;
    let (release, released) = mpsc::channel();
    let (jammed, is_jammed) = oneshot::channel();
    let pipe = client.pipe.clone();
    let jam = tokio::task::spawn_blocking(move || pipe.jam(|| jammed.send(()).unwrap(), &released));
    is_jammed.await.unwrap();
    node.publish("a", "through").await.unwrap();
    finds(&node, |found| found.longest >= Duration::from_secs(3)).await;
    assert_eq!(node.hub.stall().shards, 0, "not for long enough yet");
    drop(release);
    jam.await.unwrap();
    finds(&node, |found| found.longest < Duration::from_secs(3)).await;
    ends(async {
        while client.lines() != ["a through"] {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
