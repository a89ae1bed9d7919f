//! The bounds of unanswered publishes, and the answers.

use std::task::Poll;

use fanfare_core::{Disconnect, Limits, PublishError};
use tokio::task::JoinHandle;

use crate::support::{Client, Lines, Setup, settle};

/// Waits as the reader of a transport does before it reads.
fn wait_for_room(client: &Client) -> JoinHandle<()> {
    tokio::spawn(client.ready())
}

#[tokio::test(start_paused = true)]
async fn past_64_publishes_the_reader_waits() {
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
    for _ in 0..31 {
        recorder.answer(0, Ok(()));
    }
    settle().await;
    assert!(!reader.is_finished());
    recorder.answer(0, Ok(()));
    settle().await;
    assert!(reader.is_finished());
}

#[tokio::test(start_paused = true)]
async fn past_256_kib_the_reader_waits() {
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
async fn a_waiting_reader_has_its_answer_first() {
    let limits = Limits { unanswered_publishes: 1, ..Limits::default() };
    let (node, recorder) = Setup { limits, ..Setup::default() }.recorded();
    let client = node.client();
    client.say("pub a x").await;
    let woken = std::sync::Arc::new(Woken { pipe: client.pipe.clone(), got: parking_lot::Mutex::default() });
    let waker = woken.clone().into();
    let room = client.inbound.lock().poll_ready(&mut std::task::Context::from_waker(&waker));
    assert_eq!(room, Poll::Pending);
    recorder.answer(0, Ok(()));
    assert_eq!(*woken.got.lock(), ["ok 1"]);
}

/// Notes the lines of the client when it is woken.
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
async fn a_dialect_without_answers_ends_the_session() {
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
async fn a_failure_is_told_after_all_answers() {
    let (node, recorder) = Setup { dialect: Lines::silent(), ..Setup::default() }.recorded();
    let client = node.client();
    for _ in 0..4 {
        client.say("pub a x").await;
    }
    // The first is taken, the second written; the others waited too long.
    recorder.answer(0, Ok(()));
    recorder.answer(1, Err(refused()));
    assert!(client.lines().is_empty() && !client.session.has_ended());
    let reader = wait_for_room(&client);
    settle().await;
    assert!(!reader.is_finished(), "nothing more is read meanwhile");
    recorder.answer(0, Ok(()));
    recorder.answer(0, Err(refused()));
    assert_eq!(client.lines(), ["close 73 refused"]);
    reader.await.unwrap();
    assert_eq!((node.closed("publish_refused"), node.closed("publish_unknown")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_before_a_success_is_unknown() {
    let (node, recorder) = Setup { dialect: Lines::silent(), ..Setup::default() }.recorded();
    let client = node.client();
    for _ in 0..3 {
        client.say("pub a x").await;
    }
    // The second was written before the first was refused, and the third was not.
    for result in [Err(refused()), Ok(()), Err(refused())] {
        assert!(client.lines().is_empty());
        recorder.answer(0, result);
    }
    assert_eq!(client.lines(), ["close 74 unknown"]);
    assert_eq!((node.closed("publish_unknown"), node.closed("publish_refused")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_untold_failure_counts_once_per_message() {
    let (node, recorder) = Setup { dialect: Lines::silent(), ..Setup::default() }.recorded();
    let client = node.client();
    for _ in 0..3 {
        client.say("pub a x").await;
    }
    recorder.answer(0, Err(refused()));
    client.end(&Disconnect::Lost);
    recorder.answer(0, Ok(()));
    recorder.answer(0, Err(refused()));
    assert_eq!(node.count("fanfare_publishes_untold_total", &[]), 2);
}

#[tokio::test(start_paused = true)]
async fn past_the_nodes_bound_readers_are_queued() {
    let (node, recorder) = Setup::default().recorded();
    let large = format!("pub a {}", "x".repeat(256 << 10));
    let flooders: Vec<_> = (0..128).map(|_| node.client()).collect();
    for flooder in &flooders {
        flooder.say(&large).await;
    }
    let [first, second] = [node.client(), node.client()];
    let readers = [wait_for_room(&first), wait_for_room(&second)];
    settle().await;
    assert!(readers.iter().all(|reader| !reader.is_finished()), "32 MiB are unanswered");
    recorder.answer(0, Ok(()));
    settle().await;
    assert_eq!(readers.each_ref().map(JoinHandle::is_finished), [true, false]);
    first.say("pub a x").await;
    recorder.answer(0, Ok(()));
    settle().await;
    assert!(readers[1].is_finished());
    wait_for_room(&flooders[0]).await.unwrap();
}

/// The node gets more messages than it writes out at once.
#[tokio::test(start_paused = true)]
async fn a_message_waits_for_one_per_flooder() {
    const FLOODERS: usize = 10;
    let node = Setup::default().memory();
    let listener = node.client_in(&["flood", "quiet"]).await;
    let large = format!("pub flood {}", "x".repeat(4 << 10));
    let mut sent = 0;
    for flooder in (0..FLOODERS).map(|_| node.client()) {
        while flooder.is_ready() {
            flooder.say(&large).await;
            sent += 1;
        }
    }
    node.client().say("pub quiet hello").await;
    let mut heard = Vec::new();
    while heard.len() <= sent {
        settle().await;
        heard.extend(listener.lines());
    }
    assert_eq!(heard.len(), sent + 1, "nothing is lost");
    let at = heard.iter().position(|line| line.contains("hello")).unwrap();
    // The bytes on their way to the shards, and the same once more.
    let calm = 2 * (256 << 10) / (4 << 10) + FLOODERS;
    assert!(sent > 4 * calm && at <= calm, "{at} of {sent} came before");
}

fn refused() -> PublishError {
    PublishError::Refused("away".to_owned())
}

#[tokio::test(start_paused = true)]
async fn after_the_end_nothing_is_published() {
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
