//! Clients that do not finish a message.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
    time::Duration,
};

use fanfare_core::{Disconnect, Limits};
use fanfare_hub::Buffered;
use tokio::time::{advance, sleep};

use crate::support::{Client, Node, Setup, settle};

fn limits() -> Limits {
    Limits { message_time: Duration::from_secs(10), unanswered_publishes: 1, ..Limits::default() }
}

/// The reader holds the first `bytes` bytes of a message.
fn holds(client: &Client, bytes: usize) {
    client.inbound.lock().buffers(Buffered { bytes, is_new: true }, Waker::noop());
}

async fn pass(node: &Node, client: &Client, seconds: u64) {
    for _ in 0..seconds {
        sleep(Duration::from_secs(1)).await;
        settle().await;
        // It answers pings, and gets messages.
        client.inbound.lock().heard();
        node.publish("a", "hello").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_message_ends_its_session() {
    let node = Setup { limits: limits(), ..Setup::default() }.memory();
    let [never, again, in_time] = [(); 3].map(|()| node.client());
    never.join(&["a"]).await;
    for client in [&never, &again, &in_time] {
        holds(client, 100);
    }
    pass(&node, &never, 9).await;
    in_time.inbound.lock().buffers_nothing();
    // Its first is whole, and the next one began.
    holds(&again, 100);
    assert!(!never.session.has_ended());
    pass(&node, &never, 3).await;
    assert_eq!(never.lines().last().map(String::as_str), Some("close 81 too slow"));
    assert_eq!(node.closed("message_too_slow"), 1);
    assert_eq!(node.count("fanfare_limits_hit_total", &[("limit", "message_time")]), 1);
    assert!(!again.session.has_ended());
    pass(&node, &again, 9).await;
    assert!(again.session.has_ended() && !in_time.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn time_without_reading_does_not_count() {
    let (node, recorder) = Setup { limits: limits(), ..Setup::default() }.recorded();
    let client = node.client();
    let seconds = async |seconds: u64| {
        for _ in 0..seconds {
            sleep(Duration::from_secs(1)).await;
            settle().await;
        }
    };
    client.say("pub a x").await;
    holds(&client, 100);
    let reader = tokio::spawn(client.ready());
    seconds(60).await;
    assert!(!client.session.has_ended(), "its socket is not read");
    recorder.answer(0, Ok(()));
    reader.await.unwrap();
    seconds(9).await;
    advance(Duration::from_secs(3600)).await;
    settle().await;
    assert!(!client.session.has_ended(), "the node was frozen");
    seconds(4).await;
    assert!(client.session.has_ended());
}

/// Counts its wake-ups.
#[derive(Default)]
struct Reader(AtomicUsize);

impl Wake for Reader {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn past_the_bound_the_largest_holders_go() {
    let limits = Limits { incomplete_total_bytes: 8000, ..Limits::default() };
    let node = Setup { limits, ..Setup::default() }.memory();
    let [old, large, small, new] = [(); 4].map(|()| node.client());
    let reader = Arc::new(Reader::default());
    let held = |bytes| Buffered { bytes, is_new: true };
    old.inbound.lock().buffers(held(1500), &reader.clone().into());
    sleep(Duration::from_secs(9)).await;
    holds(&large, 4000);
    holds(&small, 100);
    holds(&new, 2000);
    settle().await;
    let gauge = || node.hub.metrics().incomplete.get();
    assert_eq!((gauge(), node.closed("message_gave_way")), (7600, 0));
    new.inbound.lock().buffers(Buffered { bytes: 2500, is_new: false }, Waker::noop());
    settle().await;
    // An eighth below the bound is reached without the oldest.
    assert_eq!(node.closed("message_gave_way"), 1);
    assert!(old.session.has_ended(), "1500 bytes for 10 s");
    assert_eq!(node.count("fanfare_limits_hit_total", &[("limit", "incomplete_total_bytes")]), 1);
    assert_eq!((gauge(), reader.0.load(Ordering::Relaxed)), (8100, 1), "its reader is told to let go");
    old.inbound.lock().buffers_nothing();
    assert_eq!(gauge(), 6600);
    holds(&small, 3000);
    settle().await;
    assert_eq!(node.closed("message_gave_way"), 2);
    assert!(large.session.has_ended() && !small.session.has_ended() && !new.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn an_ended_session_keeps_nothing() {
    let node = Setup { limits: limits(), ..Setup::default() }.memory();
    let client = node.client();
    holds(&client, 100);
    client.end(&Disconnect::Restart);
    sleep(Duration::from_secs(20)).await;
    assert_eq!((node.closed("restart"), node.closed("message_too_slow")), (1, 0));
}
