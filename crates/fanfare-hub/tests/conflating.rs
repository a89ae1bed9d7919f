//! In a conflating channel a slow client keeps its session, and gets the newest publications.
//!
//! The property, for any part that the sink takes of each write: the client reads whole frames. It gets an ordered
//! selection of each channel that ends with the newest, and all messages that are not replaceable. Nothing is dropped
//! within the bound.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use fanfare_core::{Channel, CloseFrame, Limits, Message, Namespace, SlowClient, Transport};
use fanfare_hub::{
    Budget, HubMetrics,
    session::outbound::{Finish, Outbound, Outgoing, Sent},
};
use proptest::{collection::vec, prelude::*};
use tokio::time::sleep;

use crate::support::{Framing, Pipe, Setup, channel, numbered, settle};

fn bounded(outbound_bytes: usize) -> Setup {
    let limits = Limits { outbound_bytes, ..Limits::default() };
    let feed = Namespace { name: "feed".into(), slow_client: SlowClient::Conflate, ..Namespace::default() };
    Setup { limits, named: vec![feed], ..Setup::default() }
}

/// The numbers after `"{channel} "`.
fn numbers(lines: &[String], channel: &str) -> Vec<usize> {
    let of = |line: &String| line.strip_prefix(channel)?.trim().parse().ok();
    lines.iter().filter_map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_gets_the_newest() {
    let (node, recorder) = bounded(1000).recorded();
    let slow = node.client_on(Pipe::bounded(Framing::Newline, 30));
    slow.join(&["feed:1"]).await;
    let neighbour = node.client_in(&["feed:1"]).await;
    for number in 0..500 {
        recorder.deliver("feed:1", number.to_string());
        settle().await;
        assert!(slow.session.queued() <= 1000);
    }
    assert_eq!(neighbour.lines(), numbered("feed:1", 0..500));
    slow.pipe.widen();
    settle().await;
    let got = numbers(&slow.lines(), "feed:1 ");
    assert!(got.is_sorted_by(|one, next| one < next), "{got:?}");
    assert_eq!((got.first(), got.last()), (Some(&0), Some(&499)));
    assert_eq!(node.hub.metrics().conflated.get(), 500 - got.len() as u64);
    assert_eq!((node.slow("conflate"), node.slow("disconnect")), (1, 0));
    recorder.deliver("feed:1", "500");
    settle().await;
    assert_eq!(slow.lines(), ["feed:1 500"]);
}

#[tokio::test(start_paused = true)]
async fn past_half_the_bound_the_newest_is_kept() {
    let (node, recorder) = bounded(1000).recorded();
    let slow = node.client_on(Pipe::bounded(Framing::Newline, 0));
    slow.join(&["feed:1", "feed:2"]).await;
    for number in 0..70 {
        recorder.deliver(["feed:1", "feed:2"][number % 2], number.to_string());
        settle().await;
    }
    assert!((501..1000).contains(&slow.session.queued()));
    assert_eq!(node.hub.metrics().conflated.get(), 0, "it is within the bound");
    sleep(Duration::from_secs(3)).await;
    slow.pipe.widen();
    settle().await;
    assert_eq!(slow.lines(), ["feed:1 68", "feed:2 69"]);
}

#[tokio::test(start_paused = true)]
async fn irreplaceable_messages_are_never_dropped() {
    let (node, recorder) = bounded(1000).recorded();
    let client = node.client_on(Pipe::bounded(Framing::Newline, 0));
    client.join(&["feed:1", "plain"]).await;
    let padding = "x".repeat(92);
    for number in 0..7 {
        recorder.deliver("feed:1", format!("{number}{padding}"));
        settle().await;
        recorder.deliver("plain", format!("{number}{padding}"));
        settle().await;
    }
    assert!(!client.session.has_ended(), "700 bytes of one, the newest of the other");
    for number in 7..12 {
        recorder.deliver("plain", format!("{number}{padding}"));
        settle().await;
    }
    assert!(client.session.has_ended());
    client.pipe.widen();
    settle().await;
    let lines = client.lines();
    let plain = lines.iter().filter(|line| line.starts_with("plain")).count();
    assert!(plain >= 8, "{lines:?}");
    assert_eq!(lines.last().unwrap(), "close 75 slow");
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_transport_is_conflated_too() {
    let (node, recorder) = bounded(100).recorded();
    let mut client = node.client_in(&["feed:1"]).await;
    node.hub.sessions.detach(&client.session).await;
    for number in 0..100 {
        recorder.deliver("feed:1", number.to_string());
        settle().await;
    }
    client.change_to(Pipe::open(Framing::Prefixed)).await;
    let got = numbers(&client.lines(), "feed:1 ");
    assert!(!client.session.has_ended() && got.len() < 20);
    assert_eq!(got.last(), Some(&99));
}

#[derive(Debug, Clone)]
enum Step {
    /// Publications of these sizes at once in one of the channels. Only those of `KEPT` are not replaceable.
    Publish {
        channel: usize,
        sizes: Vec<usize>,
        defer: bool,
    },
    Pong,
    PollFlush,
    Read {
        bytes: usize,
        per_write: usize,
    },
    Turn,
    Press,
}

const CHANNELS: [&str; 4] = ["a", "b", "c", "kept"];
const KEPT: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_usize, vec(0..60_usize, 1..4), any::<bool>())
            .prop_map(|(channel, sizes, defer)| Step::Publish { channel, sizes, defer }),
        1 => Just(Step::Pong),
        2 => Just(Step::PollFlush),
        3 => (0..150_usize, 1..60_usize).prop_map(|(bytes, per_write)| Step::Read { bytes, per_write }),
        2 => Just(Step::Turn),
        1 => Just(Step::Press),
    ]
}

struct Publications {
    channel: Channel,
    messages: Vec<Message>,
}

impl Outgoing for Publications {
    fn count(&self) -> u32 {
        u32::try_from(self.messages.len()).unwrap()
    }

    fn framed<T>(&mut self, transport: &'static dyn Transport, act: impl FnOnce(&Bytes) -> T) -> T {
        let mut all = BytesMut::new();
        self.frames(transport, &mut |frame| all.extend_from_slice(&frame));
        act(&all.freeze())
    }

    fn messages(&mut self, hold: &mut dyn FnMut(Message)) {
        self.messages.iter().for_each(|message| hold(message.clone()));
    }

    fn replaceable(&self) -> Option<Channel> {
        (self.channel.as_str() != CHANNELS[KEPT]).then(|| self.channel.clone())
    }

    fn frames(&mut self, transport: &'static dyn Transport, each: &mut dyn FnMut(Bytes)) {
        for message in &self.messages {
            let mut frame = Vec::new();
            transport.frame(message, &mut frame);
            each(frame.into());
        }
    }
}

struct Run {
    outbound: Outbound,
    pipe: Pipe,
    budget: Arc<Budget>,
    metrics: Arc<HubMetrics>,
    /// The messages that were taken, in order.
    taken: Vec<String>,
}

impl Run {
    fn new(capacity: usize, bound: usize) -> Self {
        let pipe = Pipe::bounded(Framing::Prefixed, capacity);
        let limits = Limits { outbound_bytes: bound, ..Limits::default() };
        let metrics = Arc::new(HubMetrics::register(&prometheus::Registry::new()).unwrap());
        let budget = Budget::new(&limits, metrics.clone());
        let outbound = Outbound::default();
        assert_eq!(outbound.attach(pipe.framing(), pipe.sink(), &budget), Sent::Done);
        Self { outbound, pipe, budget, metrics, taken: Vec::new() }
    }

    /// Whether the session goes on, and whether this step may conflate its queue.
    fn step(&mut self, number: usize, step: &Step) -> (bool, bool) {
        let queued = self.outbound.queued();
        match step {
            Step::Publish { channel: at, sizes, defer } => {
                let line = |(part, size): (usize, &usize)| {
                    format!("{} {number}.{part} {}", CHANNELS[*at], "x".repeat(*size))
                };
                let lines: Vec<String> = sizes.iter().enumerate().map(line).collect();
                let bytes: usize = lines.iter().map(|line| line.len() + 5).sum();
                let messages = lines.iter().map(|line| Message::Text(Bytes::from(line.clone()))).collect();
                let mut publications = Publications { channel: channel(CHANNELS[*at]), messages };
                if self.outbound.send(&mut publications, &self.budget, *defer) == Sent::Overflow {
                    return (false, true);
                }
                self.taken.extend(lines);
                (true, queued + bytes > self.budget.per_session())
            }
            Step::Pong => {
                if self.outbound.pong(&[number.to_string().into()], &self.budget) == Sent::Overflow {
                    return (false, true);
                }
                self.taken.push(format!("pong {number}"));
                (true, queued + 10 > self.budget.per_session())
            }
            Step::PollFlush => {
                self.poll_flush();
                (true, false)
            }
            Step::Read { bytes, per_write } => {
                self.pipe.take_per_write(*per_write);
                self.pipe.read(*bytes);
                (true, false)
            }
            Step::Turn => {
                let _ = self.outbound.turn(&self.budget);
                (true, queued > self.budget.half())
            }
            Step::Press => {
                self.outbound.conflate(&self.budget);
                (true, true)
            }
        }
    }

    fn poll_flush(&self) {
        let _ = self.outbound.poll_flush(&mut Context::from_waker(Waker::noop()), &self.budget);
    }

    /// Closes and reads until the end. The whole frames that came.
    fn finish(&mut self) -> Vec<String> {
        let _ = self.outbound.close(&CloseFrame::new(9, "bye").into(), Finish::AtOnce, &self.budget);
        for _ in 0..=self.outbound.queued() {
            self.pipe.read(usize::MAX);
            self.poll_flush();
        }
        self.pipe.lines()
    }
}

/// Whether `some` is a part of `all`, in the same order.
fn is_selection(some: &[String], all: &[String]) -> bool {
    let mut all = all.iter();
    some.iter().all(|one| all.any(|other| one == other))
}

fn by_channel(lines: &[String]) -> HashMap<&str, Vec<&String>> {
    let mut channels: HashMap<&str, Vec<&String>> = HashMap::new();
    for line in lines {
        channels.entry(line.split(' ').next().unwrap()).or_default().push(line);
    }
    channels
}

proptest! {
    #[test]
    fn whole_frames_arrive_in_order_with_the_newest(
        steps in vec(step(), 0..80),
        capacity in 1..300_usize,
        bound in 50..600_usize,
    ) {
        let mut run = Run::new(capacity, bound);
        let mut is_over = false;
        for (number, step) in steps.iter().enumerate() {
            let before = run.metrics.conflated.get();
            let (goes_on, may_drop) = run.step(number, step);
            prop_assert_eq!(run.outbound.sent().bytes, run.pipe.traffic().bytes);
            prop_assert!(run.outbound.sent().messages <= run.pipe.traffic().messages);
            prop_assert!(may_drop || run.metrics.conflated.get() == before, "dropped within the bound");
            if !goes_on {
                is_over = true;
                break;
            }
        }
        let mut lines = run.finish();
        prop_assert_eq!(run.outbound.sent(), run.pipe.traffic());
        prop_assert_eq!(run.metrics.sent.get(), run.pipe.traffic());
        prop_assert_eq!(lines.pop(), Some("close 9 bye".to_owned()));
        prop_assert!(is_selection(&lines, &run.taken), "{:?} of {:?}", lines, run.taken);
        let (came, taken) = (by_channel(&lines), by_channel(&run.taken));
        for kept in [CHANNELS[KEPT], "pong"] {
            prop_assert_eq!(came.get(kept), taken.get(kept));
        }
        if !is_over {
            for (channel, taken) in &taken {
                prop_assert_eq!(came.get(channel).and_then(|came| came.last()), taken.last());
            }
            let dropped = (run.taken.len() - lines.len()) as u64;
            prop_assert_eq!(run.metrics.conflated.get(), dropped);
        }
        prop_assert_eq!(run.budget.used(), 0);
        prop_assert_eq!(run.outbound.queued(), 0);
    }
}
