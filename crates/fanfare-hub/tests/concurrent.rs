//! Commands of one session that are under way at the same time.

use std::time::Duration;

use fanfare_core::{Disconnect, Limits, SubscribeError};
use fanfare_hub::Next;

use crate::support::{Setup, lines::text, settle};

fn subscribes(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("sub c{number}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_subscribes_ask_the_broker_at_once() {
    let (node, recorder) = Setup::default().recorded();
    recorder.hold_confirmations();
    let client = node.client();
    client.tell(&subscribes(100));
    assert_eq!(recorder.calls().len(), 100, "nothing was confirmed yet");
    (0..100).for_each(|_| recorder.confirm(Ok(())));
    settle().await;
    assert_eq!(client.lines().len(), 100);
    assert_eq!(client.pipe.writes(), 1, "the replies that are ready together are one write");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_costs_one_timeout() {
    let limits = Limits { handshake: Duration::from_secs(5), ..Limits::default() };
    let (node, recorder) = Setup { limits, ..Setup::default() }.recorded();
    recorder.hold_confirmations();
    let client = node.client();
    let began = tokio::time::Instant::now();
    client.tell(&subscribes(100));
    while client.pipe.writes() == 0 {
        settle().await;
    }
    assert!(began.elapsed() < Duration::from_secs(6), "by the paused clock");
    let lines = client.lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("error ")).count(), 100, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn channels_do_not_wait_for_each_other() {
    let (node, recorder) = Setup::default().recorded();
    recorder.hold_confirmations();
    let client = node.client();
    client.tell(&["sub a", "sub b", "pub c hello"]);
    assert_eq!(recorder.calls(), ["subscribe a", "subscribe b", "publish c"]);
    recorder.confirm_last(Ok(()));
    settle().await;
    assert_eq!(client.lines(), ["ok 2"]);
    recorder.confirm(Err(SubscribeError::Busy));
    settle().await;
    assert_eq!(client.lines(), ["error 1 too many subscriptions wait for the message broker"]);
}

#[tokio::test(start_paused = true)]
async fn commands_of_one_channel_keep_their_order() {
    let (node, recorder) = Setup::default().recorded();
    recorder.hold_confirmations();
    let client = node.client();
    client.tell(&["sub a", "pub a hello", "unsub a", "sub a", "pub a again"]);
    assert_eq!(recorder.calls(), ["subscribe a"]);
    recorder.confirm(Ok(()));
    settle().await;
    assert_eq!(client.lines(), ["ok 1", "ok 3"]);
    assert_eq!(recorder.calls(), ["publish a", "unsubscribe a", "subscribe a"]);
    recorder.confirm(Ok(()));
    settle().await;
    assert_eq!(recorder.calls(), ["publish a"]);
    assert_eq!(client.lines(), ["ok 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_has_a_bound_of_waiting_commands() {
    let (node, recorder) = Setup::default().recorded();
    recorder.hold_confirmations();
    let client = node.client();
    let say = |line| client.inbound.lock().receive(|receiving| receiving.message(text(line)));
    let nexts: Vec<_> = subscribes(129).into_iter().map(say).collect();
    assert_eq!(nexts.iter().filter(|next| **next == Next::Accepted).count(), 127);
    assert!(!client.is_ready());
    recorder.confirm(Ok(()));
    recorder.confirm(Ok(()));
    settle().await;
    assert!(client.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_client_s_goodbye_waits_for_its_commands() {
    let (node, recorder) = Setup::default().recorded();
    recorder.hold_confirmations();
    let client = node.client();
    client.inbound.lock().receive(|receiving| {
        let _ = receiving.message(text("sub a"));
        let _ = receiving.message(text("pub a hello"));
        let _ = receiving.end(Disconnect::ByClient(None));
    });
    let leaving = std::future::poll_fn(|cx| client.inbound.lock().poll_ready(cx));
    let answers = async {
        settle().await;
        recorder.confirm(Ok(()));
        settle().await;
        assert_eq!(client.lines(), ["ok 1"]);
        recorder.answer(0, Ok(()));
    };
    assert!(tokio::join!(leaving, answers).0.is_break());
    settle().await;
    assert_eq!(client.lines(), ["ok 2", "close 0 bye"]);
}
