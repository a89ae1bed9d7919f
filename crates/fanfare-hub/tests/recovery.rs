//! Sessions that join a channel with some of its past.

use std::{sync::Arc, time::Duration};

use fanfare_core::{
    Access, Action, CommandError, Disconnect, Limits, Namespace, Position, RecoveryMode, Retention,
};
use fanfare_hub::{Past, Recovered};
use tokio::task::JoinSet;

use crate::{
    healing::{namespace, remembering},
    support::{Client, Framing, Histories, Node, Pipe, Setup, channel, ends, numbered, settle},
};

async fn recover(client: &Client, past: Past) -> Result<Recovered, CommandError> {
    client.hub.subscriptions.recover(&client.session, &channel("a"), past).await
}

fn recoveries(node: &Node, result: &str) -> u64 {
    node.count("fanfare_history_recoveries_total", &[("result", result)])
}

/// The lines of a client that asks for this, and whether they are all.
async fn gets(node: &Node, past: Past) -> (Vec<String>, bool) {
    let client = node.client();
    let recovered = recover(&client, past).await.unwrap();
    settle().await;
    let lines = client.lines();
    assert_eq!(recovered.count, lines.len());
    (lines, recovered.is_whole)
}

#[tokio::test(start_paused = true)]
async fn the_newest_come_before_live_flow() {
    let (node, recorder, histories) = remembering();
    histories.accept("a", 5);
    for (most, first) in [(3, 3), (5, 1), (100, 1), (0, 6)] {
        assert_eq!(gets(&node, Past::Last(most)).await, (numbered("a", first..6), true), "{most}");
    }
    let client = node.client();
    let recovered = recover(&client, Past::Last(2)).await.unwrap();
    assert_eq!(recovered.subscribed.position, Some(histories.position("a", 5)));
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    assert_eq!(client.lines(), numbered("a", 4..8));
}

#[tokio::test(start_paused = true)]
async fn of_a_cache_the_newest_comes() {
    let histories = Histories::new();
    let namespace = Namespace { recovery: RecoveryMode::Cache, ..namespace() };
    let setup = Setup { namespace, histories: Some(histories.clone()), ..Setup::default() };
    let (node, _) = setup.recorded();
    histories.accept("a", 5);
    let since = |offset| Past::Since(histories.position("a", offset));
    assert_eq!(gets(&node, since(1)).await, (numbered("a", [5]), true));
    assert_eq!(gets(&node, since(5)).await, (vec![], true));
    assert_eq!(gets(&node, Past::Last(3)).await, (numbered("a", 3..6), true));
}

#[tokio::test(start_paused = true)]
async fn all_behind_a_position_comes() {
    let (node, recorder, histories) = remembering();
    let stays = node.client_in(&["a"]).await;
    recorder.deliver_all(histories.accept("a", 5));
    for offset in 0..=5 {
        let since = Past::Since(histories.position("a", offset));
        let first = offset as usize + 1;
        assert_eq!(gets(&node, since).await, (numbered("a", first..6), true), "{offset}");
    }
    settle().await;
    assert_eq!(stays.lines(), numbered("a", 1..6));
    assert_eq!((recoveries(&node, "tail"), histories.reads()), (6, 0), "the node has all of it");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_kept_is_not_recovered() {
    let (node, recorder, histories) = remembering();
    histories.accept("a", 9);
    let early = histories.position("a", 3);
    histories.trim("a", 5);
    assert_eq!(gets(&node, Past::Since(early)).await, (vec![], false));
    let first_kept = Position { offset: 4, ..early };
    assert_eq!(gets(&node, Past::Since(first_kept)).await, (numbered("a", 5..10), true));
    assert_eq!(gets(&node, Past::Last(50)).await, (numbered("a", 5..10), true));
    histories.lose("a");
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(gets(&node, Past::Since(first_kept)).await, (vec![], false), "another epoch");
    assert_eq!(recoveries(&node, "lost"), 2);
}

/// Another node saw the new epoch first.
#[tokio::test(start_paused = true)]
async fn a_newer_epoch_is_asked_for() {
    let (node, _recorder, histories) = remembering();
    let stays = node.client_in(&["a"]).await;
    histories.lose("a");
    let on_their_way = histories.accept("a", 2);
    let since = Past::Since(histories.position("a", 0));
    assert_eq!(gets(&node, since).await, (numbered("a", 1..3), true));
    drop(on_their_way);
    let mut told = numbered("a", 1..3);
    told.push("close 79 interrupted".to_owned());
    assert_eq!(stays.lines(), told, "a subscriber of the old epoch may have missed publications");
}

#[tokio::test(start_paused = true)]
async fn a_position_before_a_failover_is_recovered() {
    let (node, recorder, histories) = remembering();
    let stays = node.client_in(&["a"]).await;
    recorder.deliver_all(histories.accept("a", 5));
    settle().await;
    let [kept, lost] = [4, 5].map(|offset| histories.position("a", offset));
    histories.fail_over(1);
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    assert_eq!(gets(&node, Past::Since(kept)).await, (numbered("a", 5..7), true));
    assert_eq!(gets(&node, Past::Since(lost)).await, (vec![], false));
    let told = [numbered("a", 1..6), numbered("a", 5..7), vec!["close 79 interrupted".to_owned()]].concat();
    assert_eq!(stays.lines(), told, "a subscriber got what the failover lost");
}

/// A tail that was made after the failover does not know the epoch before.
#[tokio::test(start_paused = true)]
async fn a_node_asks_for_the_epoch_before() {
    let (node, _recorder, histories) = remembering();
    histories.accept("a", 5);
    let [kept, lost] = [4, 5].map(|offset| histories.position("a", offset));
    histories.fail_over(1);
    histories.accept("a", 2);
    assert_eq!(gets(&node, Past::Since(lost)).await, (vec![], false));
    assert_eq!(gets(&node, Past::Since(kept)).await, (numbered("a", 5..7), true));
}

#[tokio::test(start_paused = true)]
async fn a_position_that_never_was_is_not_recovered() {
    let (node, recorder, histories) = remembering();
    histories.accept("a", 2);
    let since = Past::Since(histories.position("a", u64::MAX));
    let client = node.client();
    assert!(!recover(&client, since).await.unwrap().is_whole);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(client.lines(), ["a 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_ahead_gets_nothing_twice() {
    let (node, recorder, histories) = remembering();
    let stays = node.client_in(&["a"]).await;
    let on_their_way = histories.accept("a", 3);
    // Another node had delivered them.
    let client = node.client();
    let recovered = recover(&client, Past::Since(histories.position("a", 3))).await.unwrap();
    assert!(recovered.is_whole);
    recorder.deliver_all(on_their_way);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(client.lines(), ["a 4"]);
    assert_eq!(stays.lines(), numbered("a", 1..5));
}

#[tokio::test(start_paused = true)]
async fn what_comes_during_the_read_follows_the_past() {
    let (node, recorder, histories) = remembering();
    histories.accept("a", 3);
    let stays = node.client_in(&["a"]).await;
    histories.hold(true);
    let client = node.client();
    let (recovered, ()) = tokio::join!(recover(&client, Past::Last(10)), async {
        settle().await;
        recorder.deliver_all(histories.accept("a", 2));
        settle().await;
        assert!(client.lines().is_empty());
        assert_eq!(stays.lines(), numbered("a", 4..6), "nobody else waits");
        histories.hold(false);
    });
    let recovered = recovered.unwrap();
    assert_eq!((recovered.count, recovered.subscribed.position), (3, Some(histories.position("a", 3))));
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(client.lines(), numbered("a", 1..7));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_that_come_back_cost_one_read() {
    let (node, recorder, histories) = remembering();
    histories.accept("a", 150);
    histories.trim("a", 100);
    let since = |behind| Past::Since(histories.position("a", 150 - behind));
    let mut clients = Vec::new();
    let mut recovering = JoinSet::new();
    for number in 0..1000_usize {
        let client = Arc::new(node.client());
        let past = since(50 + number as u64 % 50);
        let recovers = client.clone();
        recovering.spawn(async move { recover(&recovers, past).await.unwrap() });
        clients.push(client);
        if number == 500 {
            settle().await;
            recorder.deliver_all(histories.accept("a", 1));
        }
    }
    while let Some(recovered) = recovering.join_next().await {
        assert!(recovered.unwrap().is_whole);
    }
    settle().await;
    for (number, client) in clients.iter().enumerate() {
        let first = 151 - (50 + number % 50);
        assert_eq!(client.lines(), numbered("a", first..152));
    }
    assert_eq!((histories.reads(), recoveries(&node, "read") + recoveries(&node, "tail")), (1, 1000));
}

#[tokio::test(start_paused = true)]
async fn a_history_that_fails_ends_the_recovery() {
    let (node, recorder, histories) = remembering();
    histories.accept("a", 3);
    let stays = node.client_in(&["a"]).await;
    histories.fail(true);
    let client = node.client();
    assert!(recover(&client, Past::Last(3)).await.is_err());
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert!(client.lines().is_empty(), "it is not subscribed");
    assert_eq!(stays.lines(), ["a 4"]);
    histories.fail(false);
    assert_eq!(gets(&node, Past::Last(3)).await.0, numbered("a", 2..5));
    assert_eq!(recoveries(&node, "failed"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_recovery_leaves_the_channel() {
    let (node, recorder, histories) = remembering();
    histories.accept("a", 3);
    let stays = node.client_in(&["a"]).await;
    histories.hold(true);
    let client = node.client();
    let patience = Duration::from_millis(10);
    assert!(tokio::time::timeout(patience, recover(&client, Past::Last(3))).await.is_err());
    histories.hold(false);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert!(client.lines().is_empty());
    client.join(&["a"]).await;
    assert_eq!(stays.lines(), ["a 4"]);
}

#[tokio::test(start_paused = true)]
async fn tails_keep_the_bound_of_the_node() {
    let histories = Histories::new();
    let limits = Limits { history_bytes: 20_000, ..Limits::default() };
    let setup =
        Setup { limits, namespace: namespace(), histories: Some(histories.clone()), ..Setup::default() };
    let (node, recorder) = setup.recorded();
    let client = node.client_in(&["a", "b"]).await;
    let kept = || node.hub.metrics().history.tail_bytes.get();
    recorder.deliver_all(histories.accept("a", 50));
    tokio::time::sleep(Duration::from_secs(2)).await;
    recorder.deliver_all(histories.accept("b", 50));
    settle().await;
    assert!(kept() <= 20_000, "{}", kept());
    assert_eq!(client.lines().len(), 100);
    // The least used went, and are read again.
    assert_eq!(gets(&node, Past::Last(50)).await.0, numbered("a", 1..51));
    assert_eq!(histories.reads(), 1);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(client.lines(), ["a 51"], "the top stays");
}

/// A client comes back between the end of a channel's time and the healer's next round.
#[tokio::test(start_paused = true)]
async fn expired_publications_take_no_bytes() {
    let histories = Histories::new();
    let retention = Some(Retention { size: 100, ttl: Duration::from_secs(1) });
    let namespace = Namespace { retention, ..namespace() };
    let setup = Setup { namespace, histories: Some(histories.clone()), ..Setup::default() };
    let (node, recorder) = setup.recorded();
    let _stays = node.client_in(&["a"]).await;
    let kept = || node.hub.metrics().history.tail_bytes.get();
    for second in 0..10 {
        recorder.deliver_all(histories.accept("a", 1));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        histories.trim("a", 0);
        let since = Past::Since(histories.position("a", second + 1));
        assert_eq!(gets(&node, since).await, (vec![], true));
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(kept(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_long_past_goes_as_it_is_read() {
    let histories = Histories::new();
    let limits = Limits { outbound_bytes: 1200, ..Limits::default() };
    let setup =
        Setup { limits, namespace: namespace(), histories: Some(histories.clone()), ..Setup::default() };
    let (node, recorder) = setup.recorded();
    histories.accept("a", 100);
    let client = node.client_on(Pipe::bounded(Framing::Newline, 10));
    let recovering = tokio::spawn({
        let (hub, session) = (node.hub.clone(), client.session.clone());
        async move { hub.subscriptions.recover(&session, &channel("a"), Past::Last(100)).await }
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!recovering.is_finished() && client.session.queued() <= 600);
    recorder.deliver_all(histories.accept("a", 1));
    let mut lines = Vec::new();
    while lines.len() < 101 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        lines.extend(client.lines());
    }
    assert_eq!(lines, numbered("a", 1..102));
    assert!(recovering.await.unwrap().unwrap().is_whole && !client.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn removed_publications_are_not_served() {
    let (node, recorder, histories) = remembering();
    let stays = node.client_in(&["a"]).await;
    recorder.deliver_all(histories.accept("a", 3));
    node.hub.history.remove(&channel("a")).await.unwrap();
    recorder.deliver_all(histories.accept("a", 1));
    assert_eq!(gets(&node, Past::Last(5)).await, (numbered("a", [4]), true));
    assert_eq!(gets(&node, Past::Since(histories.position("a", 1))).await, (vec![], false));
    assert_eq!(stays.lines(), numbered("a", 1..5));
}

#[tokio::test(start_paused = true)]
async fn expired_publications_are_not_served() {
    let (node, recorder, histories) = remembering();
    let stays = node.client_in(&["a"]).await;
    recorder.deliver_all(histories.accept("a", 3));
    tokio::time::sleep(Duration::from_secs(310)).await;
    histories.trim("a", 0);
    assert_eq!(gets(&node, Past::Last(3)).await, (vec![], true));
    assert_eq!(stays.lines(), numbered("a", 1..4));
}

#[tokio::test(start_paused = true)]
async fn the_past_needs_the_right_to_read() {
    let histories = Histories::new();
    let namespace = Namespace { history: Access::Server, ..namespace() };
    let setup = Setup { namespace, histories: Some(histories.clone()), ..Setup::default() };
    let (node, _recorder) = setup.recorded();
    let client = node.client();
    let refused = CommandError::NotPermitted(Action::ReadHistory);
    assert_eq!(recover(&client, Past::Last(3)).await, Err(refused));
    client.join(&["a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn recoveries_amid_publishes_miss_nothing() {
    let (node, recorder, histories) = remembering();
    let stays = node.client_in(&["a"]).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        let (histories, recorder) = (histories.clone(), recorder.clone());
        let publishing = tokio::task::spawn_blocking(move || {
            for number in 0..20 {
                let accepted = histories.accept("a", 1);
                if number % 7 > 0 {
                    recorder.deliver_all(accepted);
                }
            }
        });
        let client = node.client();
        let recovered = recover(&client, Past::Last(20)).await.unwrap();
        let joined = recovered.subscribed.position.unwrap().offset as usize;
        clients.push((client, joined - recovered.count));
        publishing.await.unwrap();
    }
    recorder.deliver_all(histories.accept("a", 1));
    let has_all = || stays.pipe.bytes().ends_with(b"a 2001\n");
    ends(async {
        while !has_all() {
            settle().await;
        }
    })
    .await;
    for (client, before) in &clients {
        let ending = client.hub.goodbyes.end_after_answers(&client.session, Disconnect::ByClient(None));
        ends(ending).await;
        ends(client.pipe.ended()).await;
        let mut lines = client.lines();
        assert_eq!(lines.pop().as_deref(), Some("close 0 bye"));
        assert_eq!(lines, numbered("a", before + 1..2002));
    }
    assert_eq!(stays.lines(), numbered("a", 1..2002));
}
