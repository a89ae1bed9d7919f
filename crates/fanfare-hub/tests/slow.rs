//! A client that does not read costs itself only.

use fanfare_core::{Disconnect, Limits};

use crate::support::{Framing, Pipe, Setup, numbered, settle};

fn bounded(outbound_bytes: usize) -> Setup {
    let limits = Limits { outbound_bytes, ..Limits::default() };
    Setup { limits, ..Setup::default() }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_ended_and_its_neighbours_get_everything() {
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
    assert_eq!((node.closed("slow"), node.hub.metrics().connections.get()), (1, 2));
    let all: Vec<String> = (0..20).map(|number| format!("a {number}{padding}")).collect();
    assert_eq!(before.lines(), all);
    assert_eq!(after.lines(), all);
    slow.pipe.widen();
    settle().await;
    let lines = slow.lines();
    assert_eq!(lines[..9], all[..9], "what fits into 1,000 bytes");
    assert_eq!(lines[9..], ["close 75 slow"]);
    assert_eq!(slow.pipe.finished(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_empty_queue_takes_one_message_larger_than_the_bound() {
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
async fn what_one_late_tick_gathered_is_held_against_nobody() {
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
async fn a_client_that_reads_in_small_bites_gets_every_byte_in_order() {
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
async fn a_session_without_a_transport_waits_within_the_bound_too() {
    let (node, recorder) = bounded(100).recorded();
    let session = node.hub.open(&node.kind, None);
    node.hub.subscribe(&session, &crate::support::channel("a")).await.unwrap();
    recorder.deliver("a", "x".repeat(200));
    settle().await;
    assert!(!session.has_ended(), "the first message is always held");
    recorder.deliver("a", "y");
    settle().await;
    assert!(session.has_ended());
    assert_eq!(node.closed("slow"), 1);
}

#[tokio::test(start_paused = true)]
async fn pongs_count_against_a_client_that_does_not_read_them() {
    let (node, _recorder) = bounded(100).recorded();
    let client = node.client_on(Pipe::bounded(Framing::Newline, 0));
    for _ in 0..100 {
        node.hub.pong(&client.session, &[bytes::Bytes::from_static(b"are you there?")]);
    }
    assert!(client.session.has_ended());
    assert!(client.session.queued() <= 100 + "c75 slow\n".len());
    client.end(&Disconnect::Lost);
    assert_eq!((node.closed("slow"), node.closed("lost")), (1, 0));
}
