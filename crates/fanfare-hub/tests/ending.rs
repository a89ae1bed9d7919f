//! A session ends once, in its dialect's words, behind its queue.

use fanfare_core::{Disconnect, Limits};

use crate::support::{Framing, Pipe, Setup, lines, settle, until};

#[tokio::test(start_paused = true)]
async fn the_first_reason_ends_a_session() {
    let (node, _recorder) = Setup::default().recorded();
    let client = node.client_in(&["a"]).await;
    client.end(&Disconnect::Restart);
    client.end(&Disconnect::Slow);
    client.end(&Disconnect::Lost);
    assert_eq!(client.lines(), ["close 76 restart"]);
    assert!(!client.pipe.is_over());
    assert_eq!((node.closed("restart"), node.closed("slow"), node.closed("lost")), (1, 0, 0));
    assert_eq!(node.hub.metrics().connections.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_leaves_all_channels() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client_in(&["a", "b"]).await;
    recorder.calls();
    recorder.deliver("a", "queued and not yet written");
    client.end(&Disconnect::Restart);
    assert_eq!(recorder.calls(), ["unsubscribe a", "unsubscribe b"]);
    recorder.deliver("a", "after");
    node.hub.writer.send(&client.session, lines::ping());
    node.hub.writer.pong(&client.session, &[bytes::Bytes::from_static(b"x")]);
    settle().await;
    assert_eq!(client.lines(), ["close 76 restart"]);
    assert_eq!(node.hub.metrics().unheard.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_during_a_fan_out_is_last() {
    let (node, recorder) = Setup::default().recorded();
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(node.client_in(&["a"]).await);
    }
    recorder.deliver("a", "0");
    until(|| crowd[0].pipe.writes() > 0).await;
    let last = &crowd[299];
    last.end(&Disconnect::Restart);
    settle().await;
    assert_eq!(last.lines(), ["close 76 restart"]);
    assert_eq!(crowd[298].lines(), ["a 0"]);
}

#[tokio::test(start_paused = true)]
async fn the_goodbye_is_last_on_the_wire() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client_on(Pipe::bounded(Framing::Newline, 3));
    client.join(&["a"]).await;
    recorder.deliver("a", "0");
    settle().await;
    recorder.deliver("a", "1");
    settle().await;
    client.end(&Disconnect::Restart);
    settle().await;
    client.pipe.widen();
    settle().await;
    assert_eq!(client.lines(), ["a 0", "a 1", "close 76 restart"]);
}

/// A proxy between the two ends both sides once it sees the end of one.
#[tokio::test(start_paused = true)]
async fn a_client_sent_away_may_answer_first() {
    let (node, _recorder) = Setup::default().recorded();
    let (away, goes) = (node.client(), node.client());
    away.end(&Disconnect::Restart);
    goes.end(&Disconnect::ByClient(Some(5)));
    settle().await;
    assert_eq!((away.pipe.finished(), goes.pipe.finished()), (0, 1));
    away.session.let_go();
    goes.session.let_go();
    assert_eq!((away.pipe.finished(), goes.pipe.finished()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_before_the_flush_is_last() {
    let (node, recorder) = Setup::default().recorded();
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(node.client_in(&["a", "b"]).await);
    }
    recorder.deliver("a", "0");
    recorder.deliver("b", "0");
    until(|| crowd[0].session.queued() > 0).await;
    assert_eq!(crowd[0].pipe.writes(), 0);
    crowd[0].end(&Disconnect::ByClient(Some(5)));
    settle().await;
    assert_eq!(crowd[0].lines(), ["a 0", "close 5 bye"]);
    assert_eq!(crowd[0].pipe.finished(), 1);
    assert!(crowd[1..].iter().all(|client| client.lines() == ["a 0", "b 0"]));
}

#[tokio::test(start_paused = true)]
async fn a_lost_client_is_told_nothing() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client_on(Pipe::bounded(Framing::Newline, 3));
    client.join(&["a"]).await;
    recorder.deliver("a", "0");
    settle().await;
    client.end(&Disconnect::Lost);
    assert!(client.pipe.is_aborted());
    assert_eq!(client.pipe.bytes(), b"ta ");
}

#[tokio::test(start_paused = true)]
async fn an_aborted_sink_is_kept_while_read() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client();
    client.say("pub a x").await;
    client.end(&Disconnect::NoPong);
    settle().await;
    assert!(client.pipe.is_aborted() && client.pipe.is_held(), "its reader has its other half");
    client.session.let_go();
    assert!(!client.pipe.is_held());
    assert_eq!(recorder.unanswered(), 1);
    let late = Pipe::open(Framing::Newline);
    node.hub.sessions.attach(&client.session, late.framing(), late.sink());
    assert!(late.is_aborted() && late.is_held(), "there is a reader of this one too");
}

#[tokio::test(start_paused = true)]
async fn after_the_end_a_reader_goes_on() {
    let limits = Limits { unanswered_publishes: 1, ..Limits::default() };
    let (node, _recorder) = Setup { limits, ..Setup::default() }.recorded();
    let client = node.client();
    client.say("pub a x").await;
    let reader = tokio::spawn(client.ready());
    settle().await;
    assert!(!reader.is_finished());
    client.end(&Disconnect::NoPong);
    settle().await;
    assert!(reader.is_finished(), "it goes on, and finds the end");
}

#[tokio::test(start_paused = true)]
async fn a_broken_transport_is_aborted() {
    let (node, recorder) = Setup::default().recorded();
    let (broken, other) = (node.client_in(&["a"]).await, node.client_in(&["a"]).await);
    broken.pipe.abort();
    recorder.deliver("a", "0");
    recorder.deliver("a", "1");
    settle().await;
    assert_eq!(other.lines(), ["a 0", "a 1"]);
    assert!(!broken.session.has_ended(), "its reader ends it");
    broken.end(&Disconnect::Lost);
    assert_eq!(node.closed("lost"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_message_ends_the_session() {
    let (node, _recorder) = Setup::default().recorded();
    let client = node.client();
    client.say("shout a").await;
    assert_eq!(client.lines(), ["close 71 say sub, unsub or pub"]);
}
