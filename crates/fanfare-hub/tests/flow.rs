//! How much a session may publish before it is answered, and how it learns the answers.

use std::task::Poll;

use fanfare_core::{Limits, PublishError};
use tokio::task::JoinHandle;

use crate::support::{Client, Lines, Setup, settle};

/// What the reader of a transport does before it reads.
fn wait_for_room(client: &Client) -> JoinHandle<()> {
    let (hub, session) = (client.hub.clone(), client.session.clone());
    tokio::spawn(std::future::poll_fn(move |cx| hub.poll_room(&session, cx)))
}

#[tokio::test(start_paused = true)]
async fn past_64_unanswered_publishes_the_reader_waits_until_one_is_answered() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client();
    for _ in 0..63 {
        client.say("pub a x").await;
    }
    settle().await;
    wait_for_room(&client).await.unwrap();
    client.say("pub a x").await;
    let reader = wait_for_room(&client);
    settle().await;
    assert!(!reader.is_finished());
    recorder.answer(0, Ok(()));
    settle().await;
    assert!(reader.is_finished());
}

#[tokio::test(start_paused = true)]
async fn past_256_kib_unanswered_the_reader_waits_until_enough_is_answered() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client();
    let half = format!("pub a {}", "x".repeat(128 << 10));
    for _ in 0..3 {
        client.say(&half).await;
    }
    let reader = wait_for_room(&client);
    settle().await;
    recorder.answer(0, Ok(()));
    settle().await;
    assert!(!reader.is_finished(), "256 KiB are still unanswered");
    recorder.answer(0, Ok(()));
    settle().await;
    assert!(reader.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_flooder_fills_its_own_share_only() {
    let (node, _recorder) = Setup::default().recorded();
    let (flooder, other) = (node.client(), node.client());
    for _ in 0..64 {
        flooder.say("pub a x").await;
    }
    other.say("pub a x").await;
    let reader = wait_for_room(&flooder);
    wait_for_room(&other).await.unwrap();
    assert!(!reader.is_finished());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_has_its_answer_already() {
    let limits = Limits { unanswered_publishes: 1, ..Limits::default() };
    let (node, recorder) = Setup { limits, ..Setup::default() }.recorded();
    let client = node.client();
    client.say("pub a x").await;
    let woken = std::sync::Arc::new(Woken { pipe: client.pipe.clone(), got: parking_lot::Mutex::default() });
    let waker = woken.clone().into();
    let room = node.hub.poll_room(&client.session, &std::task::Context::from_waker(&waker));
    assert_eq!(room, Poll::Pending);
    recorder.answer(0, Ok(()));
    assert_eq!(*woken.got.lock(), ["ok 1"]);
}

/// Notes what the client has got when it is woken.
struct Woken {
    pipe: crate::support::Pipe,
    got: parking_lot::Mutex<Vec<String>>,
}

impl std::task::Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        *self.got.lock() = self.pipe.lines();
    }
}

#[tokio::test(start_paused = true)]
async fn replies_come_in_the_order_of_the_answers() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client();
    for line in ["pub a x", "pub a y", "pub a z"] {
        client.say(line).await;
    }
    assert!(client.lines().is_empty());
    recorder.answer(1, Ok(()));
    recorder.answer(1, Err(PublishError::Unknown));
    recorder.answer(0, Ok(()));
    let unknown = PublishError::Unknown;
    assert_eq!(client.lines(), ["ok 2".to_owned(), format!("error 3 {unknown}"), "ok 1".to_owned()]);
}

#[tokio::test(start_paused = true)]
async fn a_dialect_without_answers_says_a_failure_by_ending_the_session_once() {
    let (node, recorder) = Setup { dialect: Lines::silent(), ..Setup::default() }.recorded();
    let client = node.client();
    for _ in 0..4 {
        client.say("pub a x").await;
    }
    recorder.answer(0, Ok(()));
    assert!(!client.session.has_ended());
    for _ in 0..3 {
        recorder.answer(0, Err(PublishError::Refused("away".to_owned())));
    }
    assert_eq!(client.lines(), ["close 73 refused"]);
    assert_eq!(client.pipe.finished(), 1);
    assert_eq!((node.closed("publish_refused"), node.hub.metrics().connections.count()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_behind_a_publish_in_doubt_is_said_as_the_doubt() {
    let (node, recorder) = Setup { dialect: Lines::silent(), ..Setup::default() }.recorded();
    let client = node.client();
    for _ in 0..4 {
        client.say("pub a x").await;
    }
    // The first is taken, the second written; what waits behind it waited too long.
    recorder.answer(0, Ok(()));
    recorder.answer(1, Err(PublishError::Refused("away".to_owned())));
    assert_eq!(client.lines(), ["close 74 unknown"]);
    assert_eq!((node.closed("publish_unknown"), node.closed("publish_refused")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_session_says_after_its_end_is_not_published() {
    let (node, recorder) = Setup { dialect: Lines::silent(), ..Setup::default() }.recorded();
    let client = node.client();
    client.say("pub a x").await;
    recorder.answer(0, Err(PublishError::Refused("away".to_owned())));
    recorder.calls();
    client.say("pub b x").await;
    client.say("sub b").await;
    assert!(recorder.calls().is_empty());
    assert_eq!(recorder.unanswered(), 0);
}
