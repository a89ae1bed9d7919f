//! A session that is polled: its sink takes one write, and several requests feed it.

use std::{
    io::{self, ErrorKind, IoSlice},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use fanfare_core::{
    BrokerEvents, CloseFrame, Disconnect, FramingId, Message, Payload, Push, Sink, Transport,
};
use fanfare_hub::{Inbound, Next, Peer, Session};
use parking_lot::Mutex;

use crate::support::{
    Lines, Node, Setup, channel,
    lines::{LinesDecoder, text},
    settle,
};

/// Joins messages into one list: `[a hello|a world]`, and a goodbye behind it.
struct List;

impl Transport for List {
    fn framing(&self) -> FramingId {
        FramingId(202)
    }

    fn frame(&self, message: &Message, out: &mut Vec<u8>) {
        self.frame_all(std::slice::from_ref(message), out);
    }

    fn frame_all(&self, messages: &[Message], out: &mut Vec<u8>) {
        let bodies: Vec<_> = messages.iter().map(|message| &message.bytes()[..]).collect();
        out.extend([b"[", &bodies.join(&b"|"[..])[..], b"]"].concat());
    }

    fn ping(&self, _out: &mut Vec<u8>) {}

    fn pong(&self, _payload: &[u8], _out: &mut Vec<u8>) {}

    fn close(&self, frame: &CloseFrame, out: &mut Vec<u8>) {
        out.extend(format!(" close {}", frame.code).into_bytes());
    }
}

/// The answer to one poll, which a client may give up.
#[derive(Default)]
struct Answer {
    body: Mutex<Option<String>>,
    finished: AtomicUsize,
    is_gone: bool,
}

struct AnswerSink(Arc<Answer>);

impl Sink for AnswerSink {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.0.is_gone {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let body: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let length = body.len();
        let before = self.0.body.lock().replace(String::from_utf8(body).unwrap());
        assert_eq!(before, None, "a one-shot sink was written to twice");
        Ok(length)
    }

    fn poll_writable(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_one_shot(&self) -> bool {
        true
    }

    fn finish(&self) {
        self.0.finished.fetch_add(1, Ordering::Relaxed);
    }

    fn abort(&self) {}
}

/// A client that polls, and sends by requests of their own.
struct Poller {
    session: Arc<Session>,
    inbound: Inbound,
}

impl Poller {
    fn new(node: &Node) -> Self {
        let session = node.hub.sessions.open(&node.kind, Peer::default());
        assert!(node.hub.sessions.admit(&session));
        let inbound = node.hub.inbound(session.clone(), Box::<LinesDecoder>::default());
        Self { session, inbound }
    }

    fn poll_with(&self, node: &Node, answer: Answer) -> Arc<Answer> {
        let answer = Arc::new(answer);
        node.hub.sessions.attach(&self.session, &List, Arc::new(AnswerSink(answer.clone())));
        answer
    }

    fn poll(&self, node: &Node) -> Arc<Answer> {
        self.poll_with(node, Answer::default())
    }

    /// One request with several lines.
    async fn post(&mut self, lines: &[&str]) -> Next {
        self.inbound.came(1);
        let next = self.inbound.receive_all(lines.iter().map(|line| text(*line))).await;
        settle().await;
        next
    }
}

impl Answer {
    fn body(&self) -> Option<String> {
        assert_eq!(self.finished.load(Ordering::Relaxed), usize::from(self.body.lock().is_some()));
        self.body.lock().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_is_answered_by_the_next_publication() {
    let node = Setup { dialect: Lines::strict(), ..Setup::default() }.memory();
    let mut poller = Poller::new(&node);
    assert_eq!(poller.post(&["sub a"]).await, Next::Accepted);
    let first = poller.poll(&node);
    assert_eq!(first.body().as_deref(), Some("[ok 1]"));
    let second = poller.poll(&node);
    assert_eq!(second.body(), None);
    node.publish("a", "hello").await.unwrap();
    settle().await;
    assert_eq!(second.body().as_deref(), Some("[a hello]"));
}

#[tokio::test(start_paused = true)]
async fn a_poll_brings_all_messages_as_one_list() {
    let node = Setup { dialect: Lines::strict(), ..Setup::default() }.memory();
    let mut poller = Poller::new(&node);
    let _ = poller.post(&["sub a", "sub b"]).await;
    for (name, body) in [("a", "1"), ("b", "2"), ("a", "3")] {
        node.publish(name, body).await.unwrap();
        settle().await;
    }
    assert_eq!(poller.poll(&node).body().as_deref(), Some("[ok 1|ok 2|a 1|b 2|a 3]"));
    assert_eq!(poller.session.queued(), 0);
    assert_eq!(poller.session.sent().messages, 5);
}

#[tokio::test(start_paused = true)]
async fn channels_of_one_tick_answer_one_poll_together() {
    let (node, recorder) = Setup { dialect: Lines::strict(), ..Setup::default() }.recorded();
    let mut poller = Poller::new(&node);
    let _ = poller.post(&["sub a", "sub b"]).await;
    poller.poll(&node);
    let poll = poller.poll(&node);
    BrokerEvents::gather(&*node.dispatcher, &mut || {
        recorder.deliver("a", "1");
        recorder.deliver("b", "2");
    });
    settle().await;
    assert_eq!(poll.body().as_deref(), Some("[a 1|b 2]"));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_was_given_up_loses_nothing() {
    let node = Setup { dialect: Lines::strict(), ..Setup::default() }.memory();
    let mut poller = Poller::new(&node);
    let _ = poller.post(&["sub a"]).await;
    poller.poll(&node);
    let gone = poller.poll_with(&node, Answer { is_gone: true, ..Answer::default() });
    node.publish("a", "hello").await.unwrap();
    settle().await;
    assert_eq!(gone.body(), None);
    assert!(!poller.session.has_ended());
    assert_eq!(poller.poll(&node).body().as_deref(), Some("[a hello]"));
}

#[tokio::test(start_paused = true)]
async fn a_poll_without_news_is_answered_empty() {
    let node = Setup { dialect: Lines::strict(), ..Setup::default() }.memory();
    let poller = Poller::new(&node);
    let poll = poller.poll(&node);
    node.hub.sessions.detach(&poller.session).await;
    assert_eq!(poll.body().as_deref(), Some("[]"));
    node.hub.writer.push(&poller.session, &Push::Message(Payload::text("hi")));
    assert_eq!(poller.poll(&node).body().as_deref(), Some("[message hi]"));
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_answers_the_poll_that_waits() {
    let node = Setup { dialect: Lines::strict(), ..Setup::default() }.memory();
    let poller = Poller::new(&node);
    let poll = poller.poll(&node);
    node.hub.goodbyes.end(&poller.session, &Disconnect::Restart);
    assert_eq!(poll.body().as_deref(), Some("[goodbye restart] close 76"));
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_waits_for_the_next_poll() {
    let node = Setup { dialect: Lines::strict(), ..Setup::default() }.memory();
    let poller = Poller::new(&node);
    node.hub
        .writer
        .push(&poller.session, &Push::Subscribed { channel: channel("a"), position: None, data: None });
    node.hub.goodbyes.end(&poller.session, &Disconnect::Restart);
    assert_eq!(poller.poll(&node).body().as_deref(), Some("[subscribed a|goodbye restart] close 76"));
}

#[tokio::test(start_paused = true)]
async fn a_request_behind_the_end_is_not_taken() {
    let node = Setup { dialect: Lines::strict(), ..Setup::default() }.memory();
    let mut poller = Poller::new(&node);
    assert_eq!(poller.post(&["sub a", "nonsense", "sub b"]).await, Next::Ended);
    assert!(poller.session.has_ended());
    assert_eq!(poller.poll(&node).body().as_deref().unwrap().matches("goodbye").count(), 1);
}
