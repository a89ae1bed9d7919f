//! Pings, and the clients that are given up.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use fanfare_core::{Disconnect, Heartbeat, Limits};
use tokio::time::{advance, sleep};

use crate::support::{Client, Framing, Lines, Node, Pipe, Recorder, Setup, settle};

const HEARTBEAT: Heartbeat = Heartbeat {
    ping_interval: Duration::from_secs(25),
    pong_timeout: Duration::from_secs(10),
    idle_timeout: Duration::ZERO,
};

fn beating(heartbeat: Heartbeat) -> Node {
    Setup { heartbeat, ..Setup::default() }.memory()
}

/// Lets seconds pass one by one, as they do on a node that is not frozen.
async fn pass(seconds: u64) {
    for _ in 0..seconds {
        sleep(Duration::from_secs(1)).await;
        settle().await;
    }
}

fn pings(client: &Client) -> usize {
    client.lines().iter().filter(|line| *line == "ping").count()
}

/// Lets time pass until the client is pinged.
async fn until_pinged(client: &Client) {
    for _ in 0..=25 {
        if pings(client) > 0 {
            return;
        }
        pass(1).await;
    }
    panic!("no ping within the interval");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_stays() {
    let node = beating(HEARTBEAT);
    let client = node.client();
    let mut answered = 0;
    for _ in 0..250 {
        pass(1).await;
        let seen = pings(&client);
        if seen > 0 {
            answered += seen;
            client.inbound.lock().heard();
        }
    }
    assert_eq!(answered, 10);
    assert!(!client.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_dropped_after_the_timeout() {
    let node = beating(HEARTBEAT);
    let client = node.client();
    until_pinged(&client).await;
    pass(8).await;
    assert!(!client.session.has_ended());
    pass(3).await;
    assert!(client.session.has_ended() && client.pipe.is_aborted());
    assert_eq!(node.closed("no_pong"), 1);
}

/// A client with too many unanswered publishes, so that its socket is not read.
async fn unread(heartbeat: Heartbeat) -> (Node, Arc<Recorder>, Client) {
    let limits = Limits { unanswered_publishes: 1, goodbye: Duration::from_secs(600), ..Limits::default() };
    let (node, recorder) = Setup { heartbeat, limits, ..Setup::default() }.recorded();
    let client = node.client();
    client.say("pub a x").await;
    assert!(room(&client).is_pending());
    (node, recorder, client)
}

/// The poll of a reader before it reads.
fn room(client: &Client) -> Poll<()> {
    let poll = client.inbound.lock().poll_ready(&mut Context::from_waker(Waker::noop()));
    poll.map(|flow| assert!(flow.is_continue()))
}

#[tokio::test(start_paused = true)]
async fn an_unread_client_is_judged_once_read() {
    for idle_timeout in [Duration::ZERO, Duration::from_secs(20)] {
        let (_node, recorder, client) = unread(Heartbeat { idle_timeout, ..HEARTBEAT }).await;
        pass(200).await;
        assert!(!client.session.has_ended() && pings(&client) > 0);
        recorder.answer(0, Ok(()));
        pass(200).await;
        assert!(!client.session.has_ended(), "its reader did not come to it yet");
        assert!(room(&client).is_ready());
        pass(9).await;
        assert!(!client.session.has_ended());
        pass(30).await;
        assert!(client.session.has_ended(), "it was read, and said nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unread_client_that_takes_bytes_stays() {
    let limits = Limits { unanswered_publishes: 1, ..Limits::default() };
    let (node, recorder) = Setup { heartbeat: HEARTBEAT, limits, ..Setup::default() }.recorded();
    let client = node.client_on(Pipe::bounded(Framing::Newline, 1));
    client.join(&["a"]).await;
    client.say("pub a x").await;
    assert!(room(&client).is_pending());
    recorder.deliver("a", "hello");
    settle().await;
    client.pipe.read(1);
    pass(200).await;
    assert!(!client.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn waiting_for_answers_a_client_is_not_judged() {
    let (node, _recorder, client) = unread(HEARTBEAT).await;
    let (hub, session) = (node.hub.clone(), client.session.clone());
    tokio::spawn(async move { hub.goodbyes.end_after_answers(&session, Disconnect::Restart).await });
    pass(200).await;
    assert!(!client.session.has_ended());
    assert_eq!(node.closed("no_pong"), 0);
}

#[tokio::test(start_paused = true)]
async fn first_pings_are_spread_over_the_interval() {
    let node = beating(HEARTBEAT);
    let clients: Vec<_> = (0..200).map(|_| node.client()).collect();
    let mut most = 0;
    let mut all = 0;
    for _ in 0..26 {
        pass(1).await;
        let now = clients.iter().map(pings).sum();
        most = most.max(now);
        all += now;
        clients.iter().for_each(|client| client.inbound.lock().heard());
    }
    assert!(all >= 200, "{all} pings");
    assert!(most < 40, "{most} of 200 in one second");
}

#[tokio::test(start_paused = true)]
async fn a_frozen_node_does_not_judge() {
    let node = beating(Heartbeat { idle_timeout: Duration::from_secs(60), ..HEARTBEAT });
    let client = node.client();
    until_pinged(&client).await;
    advance(Duration::from_secs(3600)).await;
    settle().await;
    assert!(!client.session.has_ended(), "the client is not judged for a freeze");
    pass(11).await;
    assert_eq!(node.closed("no_pong"), 1, "the client is judged for the time afterwards");
}

#[tokio::test(start_paused = true)]
async fn after_a_freeze_answers_are_read_first() {
    let node = beating(HEARTBEAT);
    let client = node.client();
    until_pinged(&client).await;
    pass(9).await;
    assert!(!client.session.has_ended(), "its time is over with the next second");
    advance(Duration::from_secs(3600)).await;
    settle().await;
    assert!(!client.session.has_ended(), "the node had no chance to read its answer");
    client.inbound.lock().heard();
    pass(11).await;
    assert!(!client.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn pongs_do_not_keep_an_idle_session() {
    let node = beating(Heartbeat { idle_timeout: Duration::from_secs(60), ..HEARTBEAT });
    let client = node.client_in(&["a"]).await;
    let mut lines = Vec::new();
    for _ in 0..62 {
        pass(1).await;
        client.inbound.lock().heard();
        lines.extend(client.lines());
    }
    assert_eq!(lines.last().map(String::as_str), Some("close 77 idle"));
    assert_eq!(node.closed("idle"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_in_either_direction_keeps_a_session() {
    let node = beating(Heartbeat { idle_timeout: Duration::from_secs(60), ..HEARTBEAT });
    let (sender, receiver) = (node.client(), node.client_in(&["a"]).await);
    for _ in 0..4 {
        sender.say("pub a hello").await;
        for _ in 0..50 {
            pass(1).await;
            sender.inbound.lock().heard();
            receiver.inbound.lock().heard();
        }
    }
    assert!(!sender.session.has_ended() && !receiver.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_session_between_two_transports_is_not_judged() {
    let node = beating(HEARTBEAT);
    let mut client = node.client();
    client.hub.sessions.detach(&client.session).await;
    pass(200).await;
    assert!(!client.session.has_ended());
    client.change_to(Pipe::open(Framing::Newline)).await;
    until_pinged(&client).await;
    pass(11).await;
    assert!(client.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_full_socket_that_drains_is_alive() {
    let node = beating(HEARTBEAT);
    let client = node.client_on(Pipe::bounded(Framing::Newline, 1));
    client.join(&["a"]).await;
    node.publish("a", "x".repeat(200)).await.unwrap();
    settle().await;
    // One byte a second, and no message from the client.
    for _ in 0..100 {
        pass(1).await;
        client.pipe.read(1);
    }
    assert!(!client.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn idleness_before_the_first_ping_ends_sessions() {
    let node = beating(Heartbeat {
        ping_interval: Duration::from_secs(3600),
        idle_timeout: Duration::from_secs(5),
        ..HEARTBEAT
    });
    let client = node.client();
    pass(4).await;
    assert!(!client.session.has_ended());
    pass(2).await;
    assert_eq!(node.closed("idle"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_only_listens_is_not_judged() {
    let node = Setup { dialect: Lines::listening(), heartbeat: HEARTBEAT, ..Setup::default() }.memory();
    let client = node.client();
    pass(250).await;
    assert_eq!(pings(&client), 10);
    assert!(!client.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_reads_a_message_of_goodbye() {
    let node = Setup { dialect: Lines::strict(), heartbeat: HEARTBEAT, ..Setup::default() }.memory();
    let client = node.client();
    until_pinged(&client).await;
    pass(11).await;
    assert!(client.session.has_ended() && !client.pipe.is_aborted());
    assert_eq!(client.lines().last().unwrap(), "goodbye no_pong");
}
