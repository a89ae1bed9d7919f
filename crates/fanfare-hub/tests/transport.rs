//! A session outlives its transport and may change it.

use fanfare_core::Disconnect;

use crate::support::{AT_ONCE, Framing, Node, Pipe, Setup, ends, lines, numbered, settle};

#[tokio::test(start_paused = true)]
async fn a_changed_transport_loses_and_repeats_nothing() {
    let (node, recorder) = Setup::default().recorded();
    let mut client = node.client_on(Pipe::bounded(Framing::Newline, 10));
    client.join(&["a"]).await;
    let mut got = Vec::new();
    for round in 0..20 {
        for number in 0..5 {
            recorder.deliver("a", (5 * round + number).to_string());
            settle().await;
        }
        let old = client.pipe.clone();
        old.widen();
        let framing = if round % 2 == 0 { Framing::Prefixed } else { Framing::Newline };
        client.change_to(Pipe::bounded(framing, 10)).await;
        got.extend(old.lines());
    }
    client.pipe.widen();
    settle().await;
    got.extend(client.lines());
    assert_eq!(got, numbered("a", 0..100));
}

#[tokio::test(start_paused = true)]
async fn messages_wait_for_the_next_transport() {
    let (node, recorder) = Setup::default().recorded();
    let mut client = node.client_in(&["a"]).await;
    client.hub.sessions.detach(&client.session).await;
    recorder.deliver("a", "0");
    recorder.deliver("a", "1");
    settle().await;
    client.say("sub b").await;
    recorder.deliver("b", "2");
    settle().await;
    client.change_to(Pipe::open(Framing::Prefixed)).await;
    recorder.deliver("a", "3");
    settle().await;
    assert_eq!(client.lines(), ["a 0", "a 1", "ok 1", "b 2", "a 3"]);
    assert_eq!(client.pipe.writes(), 2, "the waiting messages went out in one write");
}

#[tokio::test(start_paused = true)]
async fn the_old_transport_gets_its_refused_bytes() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client_on(Pipe::bounded(Framing::Newline, 3));
    client.join(&["a"]).await;
    recorder.deliver("a", "0");
    settle().await;
    recorder.deliver("a", "1");
    settle().await;
    let draining = tokio::spawn(client.hub.sessions.detach(&client.session));
    settle().await;
    assert!(!draining.is_finished());
    client.pipe.widen();
    draining.await.unwrap();
    assert_eq!(client.lines(), ["a 0", "a 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_left_transport_delays_nothing() {
    let (node, recorder) = Setup::default().recorded();
    let mut client = node.client_on(Pipe::bounded(Framing::Newline, 3));
    client.join(&["a"]).await;
    recorder.deliver("a", "0");
    settle().await;
    let next = Pipe::bounded(Framing::Newline, 3);
    let old = client.pipe.clone();
    tokio::join!(client.change_to(next.clone()), async {
        settle().await;
        recorder.deliver("a", "1");
        settle().await;
        old.widen();
    });
    settle().await;
    next.widen();
    settle().await;
    assert_eq!((old.lines(), next.lines()), (vec!["a 0".to_owned()], vec!["a 1".to_owned()]));
    nothing_is_left_behind(&node).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ignores_a_left_transport() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client_on(Pipe::bounded(Framing::Newline, 3));
    client.join(&["a"]).await;
    recorder.deliver("a", "0");
    settle().await;
    let draining = client.hub.sessions.detach(&client.session);
    nothing_is_left_behind(&node).await;
    client.pipe.widen();
    draining.await;
    assert_eq!(client.lines(), ["a 0"]);
}

#[tokio::test(start_paused = true)]
async fn an_old_flusher_does_not_block_a_new() {
    let (node, recorder) = Setup::default().recorded();
    let mut client = node.client_on(Pipe::bounded(Framing::Newline, 3));
    client.join(&["a"]).await;
    recorder.deliver("a", "0");
    settle().await;
    // No other task runs until the new transport is there: the flusher of the old one finds the new one.
    client.pipe.widen();
    client.hub.sessions.detach(&client.session).await;
    node.hub.writer.send(&client.session, lines::ping());
    client.change_to(Pipe::bounded(Framing::Newline, 2)).await;
    settle().await;
    client.pipe.widen();
    settle().await;
    assert_eq!(client.lines(), ["ping"]);
    nothing_is_left_behind(&node).await;
}

/// A shutdown waits for every flush.
async fn nothing_is_left_behind(node: &Node) {
    ends(node.hub.drain.send_all_away(AT_ONCE, &Disconnect::Restart)).await;
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_waits_for_the_next_transport() {
    let (node, recorder) = Setup::default().recorded();
    let mut client = node.client_in(&["a"]).await;
    client.hub.sessions.detach(&client.session).await;
    recorder.deliver("a", "0");
    settle().await;
    client.end(&Disconnect::Restart);
    client.change_to(Pipe::bounded(Framing::Newline, 2)).await;
    settle().await;
    client.pipe.widen();
    settle().await;
    assert_eq!(client.lines(), ["a 0", "close 76 restart"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ended_keeps_its_transport() {
    let (node, recorder) = Setup::default().recorded();
    let mut client = node.client_on(Pipe::bounded(Framing::Newline, 2));
    client.join(&["a"]).await;
    recorder.deliver("a", "0");
    settle().await;
    client.end(&Disconnect::Restart);
    let old = client.pipe.clone();
    client.change_to(Pipe::open(Framing::Newline)).await;
    assert!(client.pipe.is_aborted());
    old.widen();
    settle().await;
    assert_eq!(old.lines(), ["a 0", "close 76 restart"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_on_a_transport_takes_no_second() {
    let (node, _recorder) = Setup::default().recorded();
    let client = node.client();
    let second = Pipe::open(Framing::Prefixed);
    node.hub.sessions.attach(&client.session, second.framing(), second.sink());
    assert!(second.is_aborted());
    client.say("sub a").await;
    assert_eq!(client.lines(), ["ok 1"]);
}

#[tokio::test(start_paused = true)]
async fn pings_keep_their_place_in_the_stream() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client_in(&["a"]).await;
    recorder.deliver("a", "0");
    settle().await;
    node.hub.writer.send(&client.session, lines::ping());
    node.hub.writer.pong(&client.session, &[bytes::Bytes::from_static(b"x")]);
    recorder.deliver("a", "1");
    settle().await;
    assert_eq!(client.lines(), ["a 0", "ping", "pong x", "a 1"]);
}
