//! Losses between the broker and a node, in channels with history.

use std::{sync::Arc, time::Duration};

use fanfare_core::{
    BrokerEvents, CommandError, Limits, Namespace, OnInterruption, Partition, Payload, Publication, Publish,
    Retention, SubscribeError, broker::Interruption,
};

use crate::support::{AT_ONCE, Client, Histories, Node, Recorder, Setup, channel, numbered, settle};

pub(crate) fn namespace() -> Namespace {
    let retention = Retention { size: 100, ttl: Duration::from_secs(300) };
    Namespace { retention: Some(retention), on_interruption: OnInterruption::Close, ..Namespace::default() }
}

pub(crate) fn remembering() -> (Node, Arc<Recorder>, Arc<Histories>) {
    let histories = Histories::new();
    let setup =
        Setup { shards: 3, namespace: namespace(), histories: Some(histories.clone()), ..Setup::default() };
    let (node, recorder) = setup.recorded();
    tokio::spawn(node.hub.interruptions.clone().tell_sessions(|| AT_ONCE));
    (node, recorder, histories)
}

async fn crowd(node: &Node, name: &str) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..7 {
        clients.push(node.client_in(&[name]).await);
    }
    clients
}

fn all_got(clients: &[Client], lines: &[String]) {
    for client in clients {
        assert_eq!(client.lines(), lines);
    }
}

fn heals(node: &Node, result: &str) -> u64 {
    node.count("fanfare_history_heals_total", &[("result", result)])
}

#[tokio::test(start_paused = true)]
async fn a_lost_publication_is_healed_in_order() {
    let (node, recorder, histories) = remembering();
    histories.accept("a", 3);
    let clients = crowd(&node, "a").await;
    recorder.deliver_all(histories.accept("a", 1));
    histories.accept("a", 2);
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    all_got(&clients, &numbered("a", 4..9));
    assert_eq!((heals(&node, "healed"), heals(&node, "failed"), histories.reads()), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_comes_twice_is_delivered_once() {
    let (node, recorder, histories) = remembering();
    let clients = crowd(&node, "a").await;
    let accepted = histories.accept("a", 2);
    let again = accepted
        .iter()
        .map(|twice| Publication::new(twice.channel.clone(), twice.payload.clone(), None).at(twice.position));
    let again: Vec<_> = again.collect();
    recorder.deliver_all(accepted.into_iter().chain(again));
    settle().await;
    all_got(&clients, &numbered("a", 1..3));
    assert_eq!(node.hub.metrics().history.duplicates.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn later_publications_wait_for_the_read() {
    let (node, recorder, histories) = remembering();
    let clients = crowd(&node, "a").await;
    histories.accept("a", 1);
    histories.hold(true);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    // A publication that is not kept keeps its place.
    recorder.deliver("a", "not kept");
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    all_got(&clients, &[]);
    histories.hold(false);
    settle().await;
    all_got(&clients, &["a 1", "a 2", "a not kept", "a 3"].map(String::from));
}

#[tokio::test(start_paused = true)]
async fn a_failing_history_is_read_until_it_answers() {
    let (node, recorder, histories) = remembering();
    let clients = crowd(&node, "a").await;
    histories.accept("a", 1);
    histories.fail(true);
    recorder.deliver_all(histories.accept("a", 1));
    tokio::time::sleep(Duration::from_secs(600)).await;
    all_got(&clients, &[]);
    assert_eq!(heals(&node, "failed"), 0, "nothing is lost before the history says so");
    histories.fail(false);
    tokio::time::sleep(Duration::from_secs(10)).await;
    all_got(&clients, &numbered("a", 1..3));
}

#[tokio::test(start_paused = true)]
async fn an_interruption_is_healed_without_a_word() {
    let (node, _recorder, histories) = remembering();
    let (mut clients, others) = (crowd(&node, "a").await, crowd(&node, "b").await);
    clients.extend(others);
    let quiet = crowd(&node, "quiet").await;
    histories.tops_asked();
    node.dispatcher.interrupted(Partition(0), Interruption::Lost);
    histories.accept("a", 2);
    histories.accept("b", 2);
    node.dispatcher.restored(Partition(0), Duration::from_secs(1));
    settle().await;
    all_got(&clients[..7], &numbered("a", 1..3));
    all_got(&clients[7..], &numbered("b", 1..3));
    all_got(&quiet, &[]);
    assert_eq!((heals(&node, "healed"), histories.reads()), (2, 2), "only those that are behind are read");
    assert_eq!(histories.tops_asked(), 1, "all channels are one request");
    assert!(clients.iter().chain(&quiet).all(|client| !client.session.has_ended()));
}

#[tokio::test(start_paused = true)]
async fn what_the_history_lost_too_is_told() {
    let (node, _recorder, histories) = remembering();
    let (lost, stays) = (crowd(&node, "a").await, crowd(&node, "b").await);
    node.dispatcher.interrupted(Partition(0), Interruption::Lost);
    histories.accept("a", 5);
    histories.accept("b", 1);
    histories.trim("a", 2);
    node.dispatcher.restored(Partition(0), Duration::from_secs(1));
    tokio::time::sleep(Limits::default().goodbye).await;
    all_got(&lost, &["a 4", "a 5", "close 79 interrupted"].map(String::from));
    all_got(&stays, &numbered("b", 1..2));
    assert_eq!((heals(&node, "healed"), heals(&node, "failed")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn another_epoch_is_told() {
    let (node, recorder, histories) = remembering();
    let clients = crowd(&node, "a").await;
    recorder.deliver_all(histories.accept("a", 2));
    histories.lose("a");
    recorder.deliver_all(histories.accept("a", 1));
    tokio::time::sleep(Limits::default().goodbye).await;
    all_got(&clients, &["a 1", "a 2", "a 1", "close 79 interrupted"].map(String::from));
    assert_eq!(heals(&node, "failed"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_the_broker_saw_is_healed() {
    let (node, _recorder, histories) = remembering();
    let clients = crowd(&node, "a").await;
    histories.accept("a", 1);
    node.dispatcher.missed(&channel("a"));
    settle().await;
    all_got(&clients, &numbered("a", 1..2));
    assert!(!clients[0].session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_quiet_channel_is_compared_with_its_history() {
    let (node, _recorder, histories) = remembering();
    let clients = crowd(&node, "a").await;
    drop(crowd(&node, "b").await);
    histories.tops_asked();
    histories.accept("a", 1);
    tokio::time::sleep(Duration::from_secs(45)).await;
    all_got(&clients, &numbered("a", 1..2));
    assert_eq!((histories.tops_asked(), histories.reads()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_all_from_its_position_on() {
    let (node, recorder, histories) = remembering();
    let early = histories.accept("a", 2);
    histories.hold(true);
    let client = node.client();
    let name = channel("a");
    let (subscribed, ()) = tokio::join!(node.hub.subscriptions.subscribe(&client.session, &name), async {
        settle().await;
        recorder.deliver_all(early);
        recorder.deliver_all(histories.accept("a", 2));
        histories.hold(false);
    });
    assert_eq!(subscribed.unwrap().position, Some(histories.position("a", 4)));
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    assert_eq!(client.lines(), numbered("a", 5..7));
    assert_eq!(histories.reads(), 0, "what came while the top was asked for waited");
}

#[tokio::test(start_paused = true)]
async fn subscribers_share_one_question_for_the_top() {
    let (node, _recorder, histories) = remembering();
    histories.hold(true);
    let clients: Vec<_> = (0..100).map(|_| node.client()).collect();
    for (at, client) in clients.iter().enumerate() {
        client.tell(&[format!("sub {}", at % 10)]);
    }
    settle().await;
    histories.hold(false);
    settle().await;
    assert!(clients.iter().all(|client| client.lines() == ["ok 1"]));
    assert!(histories.tops_asked() <= 10);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_history_permits_no_subscription() {
    let (node, recorder, histories) = remembering();
    histories.fail(true);
    let client = node.client();
    let subscribed = node.hub.subscriptions.subscribe(&client.session, &channel("a")).await;
    assert_eq!(subscribed, Err(CommandError::Subscribe(SubscribeError::Unavailable)));
    assert_eq!(recorder.calls(), ["subscribe a", "unsubscribe a"]);
    histories.fail(false);
    client.join(&["a"]).await;
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(client.lines(), ["a 1"]);
}

#[tokio::test(start_paused = true)]
async fn publishes_are_kept_as_their_namespace_says() {
    let (node, recorder, _histories) = remembering();
    let client = node.client();
    client.tell(&["pub a hello"]);
    let server = node.hub.publisher.clone();
    for skips in [false, true] {
        let (server, publish) = (server.clone(), Publish::new(channel("a"), Payload::text("x")));
        tokio::spawn(async move { server.publish_from_server(publish, None, skips).await });
    }
    settle().await;
    let kept = namespace().retention;
    assert_eq!(recorder.retentions(), [kept, kept, None]);
}

#[tokio::test(start_paused = true)]
async fn the_last_subscriber_takes_the_tail_along() {
    let (node, recorder, histories) = remembering();
    let client = node.client_in(&["a"]).await;
    recorder.deliver_all(histories.accept("a", 3));
    assert!(node.hub.metrics().history.tail_bytes.get() > 0);
    settle().await;
    client.leave("a");
    assert_eq!(node.hub.metrics().history.tail_bytes.get(), 0);
    recorder.deliver_all(histories.accept("a", 1));
    assert_eq!(node.hub.metrics().unheard.get(), 1);
    client.join(&["a"]).await;
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(client.lines(), numbered("a", [1, 2, 3, 5]));
}
