//! The first publication of a newcomer, and the last of a session that leaves.

use crate::support::{Setup, numbered, settle, until};

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_only_later_publications() {
    let (node, recorder) = Setup::default().recorded();
    let early = node.client_in(&["a"]).await;
    (0..3).for_each(|number| recorder.deliver("a", number.to_string()));
    let late = node.client_in(&["a"]).await;
    (3..6).for_each(|number| recorder.deliver("a", number.to_string()));
    let latest = node.client_in(&["a"]).await;
    settle().await;
    assert_eq!(early.lines(), numbered("a", 0..6));
    assert_eq!(late.lines(), numbered("a", 3..6));
    assert!(latest.lines().is_empty());
    assert_eq!(late.pipe.writes(), 1, "its part of the batch is one write too");
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_during_a_fan_out_misses_it() {
    let (node, recorder) = Setup::default().recorded();
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(node.client_in(&["a"]).await);
    }
    let reached = || crowd.iter().filter(|client| client.pipe.writes() > 0).count();
    recorder.deliver("a", "0");
    until(|| reached() > 0).await;
    assert!(reached() < crowd.len(), "the fan-out is over");
    let newcomer = node.client_in(&["a"]).await;
    recorder.deliver("a", "1");
    settle().await;
    assert!(crowd.iter().all(|client| client.lines() == numbered("a", 0..2)));
    assert_eq!(newcomer.lines(), ["a 1"]);
}

#[tokio::test(start_paused = true)]
async fn leaving_one_channel_keeps_the_others() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client_in(&["a", "b"]).await;
    let stays = node.client_in(&["a"]).await;
    client.leave("a");
    recorder.deliver("a", "0");
    recorder.deliver("b", "0");
    settle().await;
    assert_eq!(client.lines(), ["b 0"]);
    assert_eq!(stays.lines(), ["a 0"]);
}

#[tokio::test(start_paused = true)]
async fn rejoining_gets_all_from_then_on() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client_in(&["a"]).await;
    recorder.deliver("a", "0");
    settle().await;
    client.leave("a");
    recorder.deliver("a", "1");
    client.join(&["a"]).await;
    recorder.deliver("a", "2");
    settle().await;
    assert_eq!(client.lines(), ["a 0", "a 2"]);
}
