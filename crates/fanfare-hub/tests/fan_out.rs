//! How publications reach the sessions: complete, in order, in few writes, encoded once.

use crate::support::{Client, Framing, Pipe, Setup, numbered, settle};

fn of_channel(lines: &[String], channel: &str) -> Vec<String> {
    lines.iter().filter(|line| line.starts_with(&format!("{channel} "))).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn two_channels_of_a_session_stay_ordered() {
    let node = Setup::default().memory();
    let client = node.client_in(&["a", "b"]).await;
    for number in 0..100 {
        node.publish("a", number.to_string()).await.unwrap();
        node.publish("b", number.to_string()).await.unwrap();
        if number % 7 == 0 {
            settle().await;
        }
    }
    settle().await;
    let lines = client.lines();
    assert_eq!(lines.len(), 200);
    assert_eq!(of_channel(&lines, "a"), numbered("a", 0..100));
    assert_eq!(of_channel(&lines, "b"), numbered("b", 0..100));
}

#[tokio::test(start_paused = true)]
async fn several_channels_make_one_write() {
    let (node, recorder) = Setup::default().recorded();
    let several = node.client_in(&["a", "b", "c"]).await;
    let one = node.client_in(&["a"]).await;
    for number in 0..3 {
        ["a", "b", "c"].iter().for_each(|name| recorder.deliver(name, number.to_string()));
    }
    settle().await;
    let lines = several.lines();
    for name in ["a", "b", "c"] {
        assert_eq!(of_channel(&lines, name), numbered(name, 0..3));
    }
    assert_eq!(one.lines(), numbered("a", 0..3));
    assert_eq!((several.pipe.writes(), one.pipe.writes()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn more_channels_than_slices_all_arrive() {
    let (node, recorder) = Setup::default().recorded();
    let names: Vec<String> = (0..100).map(|number| format!("room-{number}")).collect();
    let client = node.client_in(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    names.iter().for_each(|name| recorder.deliver(name, "x"));
    settle().await;
    assert_eq!(client.lines(), names.iter().map(|name| format!("{name} x")).collect::<Vec<_>>());
    assert_eq!(client.pipe.writes(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_tick_makes_one_write_per_session() {
    let (node, recorder) = Setup { shards: 2, ..Setup::default() }.recorded();
    let clients = crowd(&node, 10, Framing::Newline).await;
    (0..500).for_each(|number| recorder.deliver("a", number.to_string()));
    settle().await;
    for client in &clients {
        assert_eq!(client.lines(), numbered("a", 0..500));
        assert_eq!(client.pipe.writes(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_publication_is_encoded_once_for_all() {
    let (node, recorder) = Setup { shards: 4, ..Setup::default() }.recorded();
    let clients = crowd(&node, 100, Framing::Newline).await;
    recorder.deliver("a", "0");
    settle().await;
    assert!(clients.iter().all(|client| client.lines() == ["a 0"]));
    assert_eq!(node.dialect.encoded(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_framings_make_two_encodings() {
    let (node, recorder) = Setup { shards: 4, ..Setup::default() }.recorded();
    let mut clients = crowd(&node, 50, Framing::Newline).await;
    clients.extend(crowd(&node, 50, Framing::Prefixed).await);
    recorder.deliver("a", "0");
    settle().await;
    assert!(clients.iter().all(|client| client.lines() == ["a 0"]));
    assert_eq!(node.dialect.encoded(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_large_crowd_gets_everything_once() {
    let (node, recorder) = Setup::default().recorded();
    let clients = crowd(&node, 600, Framing::Newline).await;
    for number in 0..3 {
        recorder.deliver("a", number.to_string());
        tokio::task::yield_now().await;
    }
    settle().await;
    assert!(clients.iter().all(|client| client.lines() == numbered("a", 0..3)));
}

async fn crowd(node: &crate::support::Node, count: usize, framing: Framing) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let client = node.client_on(Pipe::open(framing));
        client.join(&["a"]).await;
        clients.push(client);
    }
    clients
}
