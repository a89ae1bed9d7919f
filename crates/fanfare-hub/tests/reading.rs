//! Clients that read histories and presence.

use std::sync::Arc;

use fanfare_core::{Access, Limits, Namespace};

use crate::{
    healing::namespace,
    support::{Client, Histories, Node, Recorder, Setup, settle},
};

/// A node whose default namespace keeps a history, with a client in `a`.
async fn reader(setup: Setup) -> (Node, Arc<Recorder>, Arc<Histories>, Client) {
    let histories = Histories::new();
    let (node, recorder) = Setup { histories: Some(histories.clone()), ..setup }.recorded();
    let client = node.client_in(&["a"]).await;
    (node, recorder, histories, client)
}

async fn answer(client: &Client, line: &str) -> String {
    client.say(line).await;
    settle().await;
    let lines = client.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let (word, rest) = lines[0].split_once(' ').unwrap();
    format!("{word} {}", rest.split_once(' ').unwrap().1)
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_history_is_read() {
    let (_node, _recorder, histories, client) =
        reader(Setup { namespace: namespace(), ..Setup::default() }).await;
    histories.accept("a", 5);
    let epoch = histories.position("a", 0).epoch;
    let is = |at: u64| format!("history a since={epoch}:{at}");
    for (line, told) in [
        ("history a".to_owned(), "1 2 3 4 5 of 5"),
        ("history a limit=2".to_owned(), "1 2 of 5"),
        ("history a since=*:3".to_owned(), "4 5 of 5"),
        (is(4), "5 of 5"),
        ("history a reverse limit=2".to_owned(), "5 4 of 5"),
        ("history a reverse since=*:3".to_owned(), "2 1 of 5"),
    ] {
        assert_eq!(answer(&client, &line).await, format!("history {told}"), "{line}");
    }
    for (line, told) in [("history a limit=0", "of 5"), ("history a since=*:9", "of 5")] {
        assert_eq!(answer(&client, line).await, format!("history {told}"), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_place_is_told() {
    let (_node, _recorder, histories, client) =
        reader(Setup { namespace: namespace(), ..Setup::default() }).await;
    histories.accept("a", 5);
    let gone = "error the history does not reach back to this position: load what you need, and read without a position";
    assert_eq!(answer(&client, "history a since=00000000000000ff:1").await, gone);
    assert_eq!(answer(&client, "history a since=?:1").await, gone);
    let before = answer(&client, "history a reverse since=*:0").await;
    assert!(before.starts_with("error nothing is before the offset 0"), "{before}");
    histories.fail(true);
    let fails = answer(&client, "history a").await;
    assert!(fails.ends_with("the test said so: try again"), "{fails}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_bounded_in_bytes() {
    let limits = Limits { outbound_bytes: 4_000, message_bytes: 100, ..Limits::default() };
    let setup = Setup { limits, namespace: namespace(), ..Setup::default() };
    let (_node, _recorder, histories, client) = reader(setup).await;
    histories.accept("a", 99);
    let told = answer(&client, "history a").await;
    let numbers: Vec<usize> = told.split(' ').filter_map(|word| word.parse().ok()).collect();
    let (top, read) = numbers.split_last().unwrap();
    assert_eq!(*top, 99);
    assert!(read.len() > 2 && read.len() < 99, "{told}");
    assert_eq!(read, (1..=read.len()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_history_needs_a_right() {
    for (history, refused) in [
        (Access::Subscriber, "to read the history in this channel a client has to be subscribed to it"),
        (Access::Token, "to read the history in this channel a client needs a token: show one"),
        (Access::Server, "this channel's namespace does not permit a client to read the history"),
    ] {
        let namespace = Namespace { history, ..namespace() };
        let (_node, _recorder, _histories, client) = reader(Setup { namespace, ..Setup::default() }).await;
        assert_eq!(answer(&client, "history b").await, format!("error {refused}"));
    }
    let (_node, _recorder, _histories, client) = reader(Setup::default()).await;
    let none = answer(&client, "history a").await;
    assert_eq!(
        none,
        "error this channel's namespace does not have a history: set `history_size` in its configuration"
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_delays_only_its_channel() {
    let (_node, recorder, histories, client) =
        reader(Setup { namespace: namespace(), ..Setup::default() }).await;
    client.join(&["b"]).await;
    recorder.calls();
    histories.hold(true);
    client.tell(&["history a", "pub a hello", "pub b hello"]);
    settle().await;
    assert_eq!((recorder.calls(), client.lines()), (vec!["publish b".to_owned()], vec![]));
    histories.hold(false);
    settle().await;
    assert_eq!(
        (recorder.calls(), client.lines()),
        (vec!["publish a".to_owned()], vec!["history 1 of 0".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn subscribers_see_who_is_present() {
    let quiet = Namespace { name: "quiet".into(), ..Namespace::default() };
    let namespace = Namespace { tracks_presence: true, ..Namespace::default() };
    let node = Setup { namespace, named: vec![quiet], ..Setup::default() }.memory();
    let client = node.client_in(&["a", "quiet:a"]).await;
    let _other = node.client_in(&["a"]).await;
    assert_eq!(answer(&client, "presence a").await, "presence nobody nobody");
    assert_eq!(answer(&client, "stats a").await, "stats 2 1");
    let refused = "error to see who is present in this channel a client has to be subscribed to it";
    assert_eq!(answer(&client, "presence b").await, refused);
    assert_eq!(answer(&client, "stats b").await, refused);
    let none = answer(&client, "presence quiet:a").await;
    assert_eq!(
        none,
        "error this channel's namespace does not have presence: set `track_presence` in its configuration"
    );
}

#[tokio::test(start_paused = true)]
async fn presence_that_cannot_be_read_is_told() {
    let namespace = Namespace { tracks_presence: true, ..Namespace::default() };
    let (_node, _recorder, _histories, client) = reader(Setup { namespace, ..Setup::default() }).await;
    let fails = answer(&client, "presence a").await;
    assert!(fails.ends_with("this broker lists no clients: try again"), "{fails}");
}
