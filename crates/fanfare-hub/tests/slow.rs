//! A client that does not read harms only itself.

use std::time::Duration;

use fanfare_core::{Disconnect, Limits};
use tokio::time::{advance, sleep};

use crate::support::{Client, Framing, Node, Pipe, Recorder, Setup, numbered, settle};

fn bounded(outbound_bytes: usize) -> Setup {
    let limits = Limits { outbound_bytes, ..Limits::default() };
    Setup { limits, ..Setup::default() }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_ended() {
    let (node, recorder) = bounded(1000).recorded();
    let before = node.client_in(&["a"]).await;
    let slow = node.client_on(Pipe::bounded(Framing::Newline, 0));
    slow.join(&["a", "b"]).await;
    let after = node.client_in(&["a"]).await;
    let padding = "x".repeat(100);
    for number in 0..20 {
        recorder.deliver("a", format!("{number}{padding}"));
        settle().await;
    }
    assert!(slow.session.has_ended());
    assert_eq!((node.closed("slow"), node.hub.metrics().connections.count()), (1, 2));
    let all: Vec<String> = (0..20).map(|number| format!("a {number}{padding}")).collect();
    assert_eq!(before.lines(), all);
    assert_eq!(after.lines(), all);
    slow.pipe.widen();
    settle().await;
    let lines = slow.lines();
    assert_eq!(lines[..9], all[..9], "the lines that fit into 1,000 bytes");
    assert_eq!(lines[9..], ["close 75 slow"]);
    assert_eq!(slow.pipe.finished(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_empty_queue_takes_a_large_message() {
    let (node, recorder) = bounded(100).recorded();
    let client = node.client_on(Pipe::bounded(Framing::Newline, 10));
    client.join(&["a"]).await;
    let large = "x".repeat(1000);
    recorder.deliver("a", &*large);
    settle().await;
    assert!(!client.session.has_ended());
    client.pipe.widen();
    settle().await;
    assert_eq!(client.lines(), [format!("a {large}")]);
    assert_eq!(client.session.queued(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_tick_makes_nobody_slow() {
    let (node, recorder) = bounded(100).recorded();
    let client = node.client_in(&["a", "b"]).await;
    for number in 0..100 {
        recorder.deliver("a", number.to_string());
        recorder.deliver("b", number.to_string());
    }
    settle().await;
    assert!(!client.session.has_ended());
    assert_eq!(client.lines(), [numbered("a", 0..100), numbered("b", 0..100)].concat());
}

#[tokio::test(start_paused = true)]
async fn small_reads_get_every_byte_in_order() {
    let (node, recorder) = bounded(1000).recorded();
    let client = node.client_on(Pipe::bounded(Framing::Prefixed, 7));
    client.join(&["a", "b"]).await;
    for number in 0..100 {
        recorder.deliver("a", number.to_string());
        while client.session.queued() > 50 {
            client.pipe.read(5);
            settle().await;
        }
        if number % 3 == 0 {
            settle().await;
        }
    }
    client.pipe.widen();
    settle().await;
    assert_eq!(client.lines(), numbered("a", 0..100));
}

#[tokio::test(start_paused = true)]
async fn a_detached_session_is_bounded_too() {
    let (node, recorder) = bounded(100).recorded();
    let session = node.hub.sessions.open(&node.kind, fanfare_hub::Peer::default());
    assert!(node.hub.sessions.admit(&session));
    node.hub.subscriptions.subscribe(&session, &crate::support::channel("a")).await.unwrap();
    recorder.deliver("a", "x".repeat(200));
    settle().await;
    assert!(!session.has_ended(), "the first message is always held");
    recorder.deliver("a", "y");
    settle().await;
    assert!(session.has_ended());
    assert_eq!(node.closed("slow"), 1);
}

#[tokio::test(start_paused = true)]
async fn unread_pongs_make_a_client_slow() {
    let (node, _recorder) = bounded(100).recorded();
    let client = node.client_on(Pipe::bounded(Framing::Newline, 0));
    for _ in 0..100 {
        node.hub.writer.pong(&client.session, &[bytes::Bytes::from_static(b"are you there?")]);
    }
    assert!(client.session.has_ended());
    assert!(client.session.queued() <= 100 + "c75 slow\n".len());
    client.end(&Disconnect::Lost);
    assert_eq!((node.closed("slow"), node.closed("lost")), (1, 0));
}

/// A client whose socket takes nothing, and for which this number of bytes wait.
async fn behind(node: &Node, recorder: &Recorder, bytes: usize) -> Client {
    let name = format!("behind-{bytes}");
    let client = node.client_on(Pipe::bounded(Framing::Newline, 0));
    client.join(&[&name]).await;
    recorder.deliver(&name, "x".repeat(bytes - format!("t{name} \n").len()));
    settle().await;
    assert_eq!(client.session.queued(), bytes);
    client
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn past_half_the_bound_time_counts() {
    let (node, recorder) = bounded(1000).recorded();
    let (half, more) = (behind(&node, &recorder, 500).await, behind(&node, &recorder, 501).await);
    sleep(SECOND).await;
    assert!(!more.session.has_ended(), "it is the first turn");
    sleep(SECOND).await;
    assert!(more.session.has_ended());
    sleep(60 * SECOND).await;
    assert!(!half.session.has_ended());
    assert_eq!((node.closed("slow"), node.slow("disconnect"), node.slow("conflate")), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_catches_up_stays() {
    let (node, recorder) = bounded(1000).recorded();
    let client = behind(&node, &recorder, 600).await;
    for _ in 0..5 {
        sleep(SECOND).await;
        // The client takes a part, and falls behind again.
        client.pipe.widen_by(200);
        settle().await;
        assert!(client.session.queued() < 500);
        recorder.deliver("behind-600", "x".repeat(200 - "tbehind-600 \n".len()));
        settle().await;
        assert_eq!(client.session.queued(), 600);
    }
    assert!(!client.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_freeze_does_not_count() {
    let (node, recorder) = bounded(1000).recorded();
    let client = behind(&node, &recorder, 600).await;
    sleep(SECOND).await;
    for _ in 0..3 {
        advance(20 * SECOND).await;
        settle().await;
        assert!(!client.session.has_ended());
    }
    sleep(2 * SECOND).await;
    assert!(client.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn one_large_write_is_judged_by_time() {
    let (node, recorder) = bounded(1000).recorded();
    let client = node.client_on(Pipe::bounded(Framing::Newline, 10));
    client.join(&["a"]).await;
    for number in 0..1000 {
        recorder.deliver("a", number.to_string());
    }
    settle().await;
    assert!(client.session.queued() > 1000);
    recorder.deliver("a", "1000");
    settle().await;
    assert!(!client.session.has_ended(), "the late tick's bytes are not its own");
    sleep(3 * SECOND).await;
    assert!(client.session.has_ended());
}
