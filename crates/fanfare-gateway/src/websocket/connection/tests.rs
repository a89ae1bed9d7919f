use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Wake,
};

use bytes::Bytes;
use fanfare_core::{
    Backend, Broker, Channel, Incarnation, Limits, Partition, Publish, Taken,
    broker::{BrokerState, Done, Recipient, SubscribeFuture},
};
use fanfare_hub::{Dispatcher, Hub, HubMetrics, Kind, Session};
use fanfare_protocol::{RelayDecoder, dialect};
use fanfare_websocket::{FrameHead, Opcode, encode};
use parking_lot::Mutex;
use tokio::io::AsyncRead;

use super::*;
use crate::tls::socket::{Part, TlsStream};

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Connection>() <= 88, "{}", size_of::<Connection>());
    assert!(size_of::<Connection<TlsStream>>() <= 88, "{}", size_of::<Connection<TlsStream>>());
}

/// The bytes of a client: repeated for ever, or once and then silence.
#[derive(Clone)]
struct Script {
    bytes: Bytes,
    repeats: bool,
    given: Arc<AtomicUsize>,
}

impl Script {
    fn of(frame: FrameHead, payloads: impl IntoIterator<Item = Vec<u8>>, repeats: bool) -> Self {
        let mut bytes = Vec::new();
        for payload in payloads {
            encode::frame(&mut bytes, frame, &payload, Some([1, 2, 3, 4]));
        }
        Self { bytes: bytes.into(), repeats, given: Arc::default() }
    }

    fn given(&self) -> usize {
        self.given.load(Ordering::Relaxed)
    }
}

impl AsyncRead for Script {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.given() >= self.bytes.len() && !self.repeats {
            return Poll::Pending;
        }
        let from = self.bytes.slice(self.given() % self.bytes.len()..);
        let length = from.len().min(buffer.remaining());
        buffer.put_slice(&from[..length]);
        self.given.fetch_add(length, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl Incoming for Script {
    fn came_in_part(&self) -> bool {
        false
    }

    fn part(&self) -> Option<Part> {
        None
    }
}

/// A broker that answers when the test says so.
#[derive(Default)]
struct Patient(Mutex<Vec<(Bytes, Done)>>);

impl Patient {
    /// Answers this many publishes: taken. Their payloads.
    fn answer(&self, count: usize) -> Vec<Bytes> {
        let answered: Vec<_> = self.0.lock().drain(..count).collect();
        let answer = |(payload, done): (Bytes, Done)| {
            done(Ok(Taken::default()));
            payload
        };
        answered.into_iter().map(answer).collect()
    }

    fn waiting(&self) -> usize {
        self.0.lock().len()
    }
}

impl Broker for Patient {
    fn publish(&self, publish: Publish, done: Done) {
        self.0.lock().push((publish.payload.bytes().clone(), done));
    }

    fn subscribe(&self, _: &Channel) -> SubscribeFuture {
        Box::pin(std::future::ready(Ok(())))
    }

    fn unsubscribe(&self, _: &Channel) {}

    fn control(&self, _: Recipient, _: Bytes) {}

    fn state(&self, _: Partition) -> BrokerState {
        BrokerState::Up
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection that is polled by hand.
struct Scene {
    hub: Arc<Hub>,
    broker: Arc<Patient>,
    session: Arc<Session>,
    connection: Connection<Script>,
    woken: Arc<Woken>,
}

impl Scene {
    fn of(script: &Script, limits: Limits) -> Self {
        let metrics = Arc::new(HubMetrics::register(&prometheus::Registry::new()).unwrap());
        let (dispatcher, _) = Dispatcher::new(Incarnation(1), 1, Arc::default(), &limits, metrics.clone());
        let broker = Arc::new(Patient::default());
        let hub =
            Hub::start(Arc::new(dispatcher), Backend::without_memory(broker.clone()), limits, metrics, None);
        let kind = Kind {
            dialect: &dialect::RELAY,
            heartbeat: fanfare_core::Heartbeat::default(),
            transport: "websocket",
            connects: None,
        };
        let session = hub.sessions.open(&Arc::new(kind), fanfare_hub::Peer::default());
        let decoder = Box::new(RelayDecoder::new(Channel::new("chat").unwrap()));
        let inbound = hub.inbound(session.clone(), decoder);
        let connection = Connection::new(inbound, script.clone(), false, &[]);
        Self { hub, broker, session, connection, woken: Arc::default() }
    }

    fn poll(&mut self) -> Poll<()> {
        Pin::new(&mut self.connection).poll(&mut Context::from_waker(&self.woken.clone().into()))
    }

    fn woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }

    fn held(&self) -> i64 {
        self.hub.metrics().incomplete.get()
    }
}

#[tokio::test]
async fn a_flood_is_read_in_turns() {
    let unfinished = FrameHead { fin: false, ..FrameHead::whole(Opcode::Continuation) };
    let ping = FrameHead::whole(Opcode::Ping);
    for (head, payload) in [(ping, 0), (ping, 125), (unfinished, 0), (FrameHead::whole(Opcode::Pong), 60)] {
        let script = Script::of(head, vec![vec![0; payload]; 20_000], true);
        let mut scene = Scene::of(&script, Limits::default());
        if !head.fin {
            let first = FrameHead { opcode: Opcode::Binary, ..unfinished };
            let mut bytes = Vec::new();
            encode::frame(&mut bytes, first, &[], Some([0; 4]));
            scene.connection.keep(&bytes);
        }
        for turn in 1..=20 {
            assert!(scene.poll().is_pending());
            tokio::task::yield_now().await;
            assert_eq!(scene.woken(), turn, "it asks for the next turn, behind the others");
            // 512 frames a turn.
            let most = READ_BYTES.max(turn * 512 * (payload + 6) + READ_BYTES);
            assert!(script.given() <= most.min(turn * READ_BYTES), "{} in {turn} turns", script.given());
        }
        assert!(scene.held() < 3 * READ_BYTES as i64, "{}", scene.held());
    }
}

#[tokio::test]
async fn a_delayed_publish_is_kept_in_order() {
    let numbers = (0..1000u32).map(|n| n.to_be_bytes().to_vec());
    let script = Script::of(FrameHead::whole(Opcode::Binary), numbers, false);
    let mut scene = Scene::of(&script, Limits { unanswered_publishes: 64, ..Limits::default() });
    let mut came = Vec::new();
    for turn in 1..=4 {
        assert!(scene.poll().is_pending());
        tokio::task::yield_now().await;
        assert_eq!((scene.broker.waiting(), scene.woken()), (16 * turn, turn), "16 messages a turn");
    }
    assert!(scene.poll().is_pending());
    tokio::task::yield_now().await;
    assert_eq!((scene.broker.waiting(), scene.woken()), (64, 4), "not one more than may be unanswered");
    assert!(scene.held() > 0 && scene.held() <= READ_BYTES as i64, "{}", scene.held());
    while scene.broker.waiting() > 0 {
        came.extend(scene.broker.answer(scene.broker.waiting().min(10)));
        assert!(scene.poll().is_pending());
        assert!(scene.broker.waiting() <= 64);
    }
    assert!(came.iter().map(|n| u32::from_be_bytes(n[..].try_into().unwrap())).eq(0..1000));
    assert_eq!(scene.held(), 0, "nothing is kept");
    assert!(!scene.session.has_ended());
}

#[tokio::test]
async fn frames_of_a_closed_client_are_skipped() {
    let script = Script::of(FrameHead::whole(Opcode::Binary), vec![vec![0; 1000]; 1000], true);
    let mut scene = Scene::of(&script, Limits::default());
    scene.hub.goodbyes.end(&scene.session, &Disconnect::Slow);
    assert!(scene.poll().is_pending());
    assert!(script.given() <= 2 * READ_BYTES, "{}", script.given());
    assert_eq!((scene.broker.waiting(), scene.woken()), (0, 0), "it is woken by a timer");
}

#[tokio::test]
async fn a_goodbye_is_found_behind_skipped_frames() {
    let mut script = Script::of(FrameHead::whole(Opcode::Binary), vec![vec![0; 1000]; 10], false);
    let close = Script::of(FrameHead::whole(Opcode::Close), [vec![3, 232]], false);
    script.bytes = [script.bytes, close.bytes].concat().into();
    let mut scene = Scene::of(&script, Limits::default());
    scene.hub.goodbyes.end(&scene.session, &Disconnect::Slow);
    assert!(scene.poll().is_ready());
}

#[tokio::test]
async fn a_partial_message_goes_with_its_session() {
    let mut script = Script::of(FrameHead::whole(Opcode::Binary), [vec![0; 10_000]], false);
    script.bytes = script.bytes.slice(..9000);
    let mut scene = Scene::of(&script, Limits::default());
    assert!(scene.poll().is_pending());
    assert!(scene.held() >= 8900, "{}", scene.held());
    scene.hub.goodbyes.end(&scene.session, &Disconnect::MessageGaveWay);
    assert_eq!(scene.woken(), 1);
    assert!(scene.poll().is_pending());
    assert!(scene.held() < 300, "{}", scene.held());
    drop(scene);
}
