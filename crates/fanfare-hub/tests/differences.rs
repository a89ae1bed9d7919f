//! Subscribers that ask for differences get them where they have the publication before, and others get all whole.

use std::sync::Arc;

use fanfare_core::{Attributes, Namespace, Payload, Publication, SessionId};

use crate::{
    connecting::{connected, recorded, setup},
    healing::namespace,
    support::{Client, Histories, INCARNATION, Node, Recorder, Setup, channel, settle},
};

fn node_with(namespace: Namespace) -> (Node, Arc<Recorder>, Arc<Histories>) {
    let histories = Histories::new();
    let setup = Setup { namespace, histories: Some(histories.clone()), ..setup() };
    let (node, recorder, _) = recorded(setup);
    (node, recorder, histories)
}

fn differing() -> (Node, Arc<Recorder>, Arc<Histories>) {
    node_with(Namespace { delta: true, ..namespace() })
}

/// A client that said this line, and the answer.
async fn answered(node: &Node, line: &str) -> (Client, Vec<String>) {
    let client = connected(node, "connect").await;
    client.say(line).await;
    settle().await;
    let lines = client.lines();
    (client, lines)
}

async fn subscribed(node: &Node, line: &str) -> Client {
    let (client, lines) = answered(node, line).await;
    assert_eq!(lines, ["ok 2 delta"]);
    client
}

fn without(publication: Publication, session: SessionId) -> Publication {
    let attributes = Attributes { exclude: Some((INCARNATION, session)), ..Attributes::default() };
    publication.with_attributes(Some(Box::new(attributes)))
}

#[tokio::test(start_paused = true)]
async fn the_first_is_whole_then_differences_come() {
    let (node, recorder, histories) = differing();
    histories.accept("a", 3);
    let early = subscribed(&node, "sub a delta").await;
    let (plain, told) = answered(&node, "sub a").await;
    assert_eq!(told, ["ok 2"]);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    let late = subscribed(&node, "sub a delta").await;
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(early.lines(), ["a =4", "a 4>5", "a 5>6"]);
    assert_eq!(late.lines(), ["a =5", "a 5>6"]);
    assert_eq!(plain.lines(), ["a 4", "a 5", "a 6"]);
}

#[tokio::test(start_paused = true)]
async fn each_form_is_encoded_once() {
    let (node, recorder, histories) = differing();
    let early = [subscribed(&node, "sub a delta").await, subscribed(&node, "sub a delta").await];
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    let late = subscribed(&node, "sub a delta").await;
    // Several in one tick: a newcomer gets all of them whole.
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    for client in &early {
        assert_eq!(client.lines(), ["a =1", "a 1>2", "a 2>3"]);
    }
    assert_eq!(late.lines(), ["a =2", "a =3"]);
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    for client in early.iter().chain([&late]) {
        assert_eq!(client.lines(), ["a 3>4", "a 4>5"]);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_differences_to_what_one_lacks() {
    let (node, recorder, histories) = differing();
    let (one, other) = (subscribed(&node, "sub a delta").await, subscribed(&node, "sub a delta").await);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    let excluding = histories.accept("a", 1).into_iter().map(|next| without(next, one.session.id()));
    recorder.deliver_all(excluding);
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    assert_eq!(one.lines(), ["a =1", "a =3", "a 3>4"]);
    assert_eq!(other.lines(), ["a =1", "a 1>2", "a =3", "a 3>4"]);
    // One that is not kept comes between two.
    recorder.deliver("a", "x");
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    assert_eq!(one.lines(), ["a =x", "a =5", "a 5>6"]);
}

#[tokio::test(start_paused = true)]
async fn without_echo_what_follows_is_whole() {
    let (node, recorder, histories) = node_with(Namespace { delta: true, echo: false, ..namespace() });
    let (one, other) = (subscribed(&node, "sub a delta").await, subscribed(&node, "sub a delta").await);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    recorder.deliver_all(histories.accept("a", 1));
    let mine = histories.accept("a", 1).into_iter().map(|publication| {
        let origin = fanfare_core::Origin { node: INCARNATION, session: Some(one.session.id()), sequence: 1 };
        Publication::new(channel("a"), publication.payload.clone(), Some(origin)).at(publication.position)
    });
    recorder.deliver_all(mine);
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    assert_eq!(one.lines(), ["a =1", "a 1>2", "a =4", "a 4>5"]);
    assert_eq!(other.lines(), ["a =1", "a 1>2", "a 2>3", "a =4", "a 4>5"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_healed_gap_differences_go_on() {
    let (node, recorder, histories) = differing();
    let client = subscribed(&node, "sub a delta").await;
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    histories.accept("a", 2);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(client.lines(), ["a =1", "a 1>2", "a 2>3", "a 3>4"]);
    // Publications that the history does not have any longer are a gap.
    histories.accept("a", 3);
    histories.trim("a", 1);
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    assert_eq!(client.lines(), ["a =7", "a 7>8", "a 8>9"]);
}

#[tokio::test(start_paused = true)]
async fn another_history_begins_whole() {
    let (node, recorder, histories) = differing();
    histories.accept("a", 9);
    let client = subscribed(&node, "sub a delta").await;
    recorder.deliver_all(histories.accept("a", 2));
    histories.lose("a");
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    assert_eq!(client.lines(), ["a =10", "a =11", "a =1", "a 1>2"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_recovered_one_comes_a_difference() {
    let (node, recorder, histories) = differing();
    histories.accept("a", 2);
    let _early = subscribed(&node, "sub a delta").await;
    recorder.deliver_all(histories.accept("a", 1));
    let (some, told) = answered(&node, "sub a delta since=*:1").await;
    assert_eq!(told, ["ok 2 whole 2 3 delta"]);
    let (none, told) = answered(&node, "sub a delta since=*:3").await;
    assert_eq!(told, ["ok 2 whole delta"]);
    let (lost, told) = answered(&node, "sub a delta since=?:1").await;
    assert_eq!(told, ["ok 2 lost delta"]);
    for accepted in [1, 1] {
        recorder.deliver_all(histories.accept("a", accepted));
        settle().await;
    }
    assert_eq!(some.lines(), ["a 3>4", "a 4>5"]);
    assert_eq!(none.lines(), ["a =4", "a 4>5"]);
    assert_eq!(lost.lines(), ["a =4", "a 4>5"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_follows_the_past() {
    let (node, recorder, histories) = differing();
    histories.accept("a", 3);
    let _other = subscribed(&node, "sub a delta").await;
    histories.hold(true);
    let client = connected(&node, "connect").await;
    client.tell(&["sub a delta since=*:1"]);
    settle().await;
    for _ in 0..2 {
        recorder.deliver_all(histories.accept("a", 1));
        settle().await;
    }
    histories.hold(false);
    settle().await;
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(client.lines(), ["ok 2 whole 2 3 delta", "a =4", "a 4>5", "a 5>6"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_begins_anew() {
    let (node, recorder, histories) = differing();
    let client = subscribed(&node, "sub a delta").await;
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    client.lines();
    for (line, wanted) in [("sub a delta", ["a =3", "a 3>4"]), ("sub a", ["a 5", "a 6"])] {
        client.say("unsub a").await;
        client.say(line).await;
        settle().await;
        client.lines();
        for _ in 0..2 {
            recorder.deliver_all(histories.accept("a", 1));
            settle().await;
        }
        assert_eq!(client.lines(), wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn differences_need_a_permission_and_no_filter() {
    let (node, _, _) = differing();
    assert_eq!(answered(&node, "sub a delta only=k:x").await.1, ["ok 2"]);
    let (node, recorder, histories) = node_with(namespace());
    let (client, told) = answered(&node, "sub a delta").await;
    assert_eq!(told, ["ok 2"]);
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    assert_eq!(client.lines(), ["a 1", "a 2"]);
}

#[tokio::test(start_paused = true)]
async fn filters_and_differences_share_a_channel() {
    let (node, recorder, histories) = differing();
    histories.tag("a");
    let differing = subscribed(&node, "sub a delta").await;
    let (some, _) = answered(&node, "sub a only=n:2,3").await;
    let (all, _) = answered(&node, "sub a").await;
    for accepted in [1, 3] {
        recorder.deliver_all(histories.accept("a", accepted));
        settle().await;
    }
    assert_eq!(differing.lines(), ["a =1", "a 1>2", "a 2>3", "a 3>4"]);
    assert_eq!(some.lines(), ["a 2", "a 3"]);
    assert_eq!(all.lines(), ["a 1", "a 2", "a 3", "a 4"]);
}

#[tokio::test(start_paused = true)]
async fn news_break_no_chain() {
    let namespace = Namespace { delta: true, tracks_presence: true, join_leave: true, ..namespace() };
    let (node, recorder, histories) = node_with(namespace);
    let client = subscribed(&node, "sub a delta").await;
    recorder.deliver_all(histories.accept("a", 1));
    let news = Attributes {
        presence: Some(fanfare_core::attributes::PresenceChange::Joined),
        ..Attributes::default()
    };
    let news = Publication::new(channel("a"), Payload::text(""), None).with_attributes(Some(Box::new(news)));
    recorder.deliver_all([news]);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(client.lines(), ["a =1", "a =2", "a 2>3"]);
}
