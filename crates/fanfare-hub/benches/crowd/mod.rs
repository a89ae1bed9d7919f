//! Sessions of the relay's dialect in one channel, on a node of one shard.

use std::{
    io::{self, IoSlice},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use fanfare_broker::BrokerConfig;
use fanfare_core::{
    Backend, BrokerEvents as _, Channel, CloseFrame, FramingId, Heartbeat, Incarnation, Limits, Message,
    Namespace, Namespaces, Payload, Publication, Sink, TagFilter, Transport,
    filter::{Condition, Test},
};
use fanfare_hub::{Dispatcher, Hub, HubMetrics, Joining, Kind, Peer, Session, View};
use fanfare_protocol::dialect::RELAY;
use fanfare_websocket::{MessageKind, encode};
use prometheus::Registry;
use tokio::runtime::{Builder, Runtime};

/// The shortest interval: all clients are pinged in the first turn of the wheel.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(1);

const PAYLOAD: &str = "128 bytes: The quick brown fox jumps over the lazy dog, which is lazier than foxes are \
                       quick, and says so to whoever asks it....";

/// The members, and the node that they are on.
pub(crate) struct Crowd {
    runtime: Runtime,
    dispatcher: Arc<Dispatcher>,
    hub: Arc<Hub>,
    channel: Channel,
    members: Vec<Arc<Session>>,
    /// The writes that [`Crowd::until_written`] did not count yet.
    writes: Arc<AtomicUsize>,
}

impl Crowd {
    pub(crate) fn new(members: usize) -> Self {
        Self::joined(members, &View::Verbatim.into())
    }

    /// All members have a filter of one content, which every publication passes.
    pub(crate) fn filtered(members: usize) -> Self {
        let condition = Condition::Tag { name: "side".to_owned(), test: Test::Absent };
        let filter = Some(Arc::new(TagFilter::new(condition).expect("a filter")));
        Self::joined(members, &Joining { filter, ..View::Verbatim.into() })
    }

    fn joined(members: usize, joining: &Joining) -> Self {
        // Paused: nothing becomes due unless a bench waits for it.
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let (hub, dispatcher) = runtime.block_on(async { node() });
        let heartbeat = Heartbeat { ping_interval: PING_INTERVAL, ..Heartbeat::default() };
        let kind = Arc::new(Kind { dialect: &RELAY, heartbeat, transport: "websocket", connects: None });
        let channel = Channel::new("bench").expect("a channel's name");
        let writes = Arc::new(AtomicUsize::new(0));
        let join = || {
            let session = hub.sessions.open(&kind, Peer::default());
            assert!(hub.sessions.admit(&session));
            hub.sessions.attach(&session, &WebSocket, Arc::new(Open(writes.clone())));
            let subscribed = hub.subscriptions.subscribe_as(&session, &channel, joining.clone());
            runtime.block_on(subscribed).expect("a subscription");
            session
        };
        let members = (0..members).map(|_| join()).collect();
        Self { dispatcher, hub, channel, members, writes, runtime }
    }

    /// The first member publishes.
    pub(crate) fn publish(&self) {
        let _runtime = self.runtime.enter();
        if let Some(member) = self.members.first() {
            self.hub.publisher.publish(member, 0, self.channel.clone(), Payload::text(PAYLOAD));
        }
    }

    /// Publications come from the broker.
    pub(crate) fn deliver(&self, publications: usize) {
        let _runtime = self.runtime.enter();
        for _ in 0..publications {
            let payload = Payload::text(PAYLOAD);
            self.dispatcher.publication(Publication::new(self.channel.clone(), payload, None));
        }
    }

    /// Lets the node work until its sinks were given `writes` writes.
    pub(crate) fn until_written(&self, writes: usize) {
        self.runtime.block_on(async {
            while self.writes.load(Ordering::Relaxed) < writes {
                tokio::task::yield_now().await;
            }
        });
        self.writes.fetch_sub(writes, Ordering::Relaxed);
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }
}

/// A node of one shard with the memory broker, where publishers get their own.
fn node() -> (Arc<Hub>, Arc<Dispatcher>) {
    let (limits, registry) = (Limits::default(), Registry::new());
    let metrics = Arc::new(HubMetrics::register(&registry).expect("metrics"));
    metrics.connections.expect(&RELAY, &["websocket"]);
    let namespaces = Arc::new(Namespaces::new(Namespace::default(), Vec::new()));
    let incarnation = Incarnation(1);
    // The control channel is not used.
    let (dispatcher, _) = Dispatcher::new(incarnation, 1, namespaces, &limits, metrics.clone());
    let dispatcher = Arc::new(dispatcher);
    let node = fanfare_broker::Node { incarnation, limits: limits.clone() };
    let parts = fanfare_broker::start(&node, BrokerConfig::Memory, dispatcher.clone(), &registry);
    let broker = parts.expect("a broker").backend.broker;
    (Hub::start(dispatcher.clone(), Backend::without_memory(broker), limits, metrics, None), dispatcher)
}

/// Takes everything, and counts the writes.
struct Open(Arc<AtomicUsize>);

impl Sink for Open {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn finish(&self) {}

    fn abort(&self) {}
}

/// The frames that the gateway makes.
struct WebSocket;

impl Transport for WebSocket {
    fn framing(&self) -> FramingId {
        FramingId(0)
    }

    fn frame(&self, message: &Message, out: &mut Vec<u8>) {
        match message {
            Message::Text(payload) => encode::message(out, MessageKind::Text, payload),
            Message::Binary(payload) => encode::message(out, MessageKind::Binary, payload),
        }
    }

    fn ping(&self, out: &mut Vec<u8>) {
        encode::ping(out, &[]);
    }

    fn pong(&self, payload: &[u8], out: &mut Vec<u8>) {
        encode::pong(out, payload);
    }

    fn close(&self, _: &CloseFrame, out: &mut Vec<u8>) {
        encode::close_empty(out);
    }
}
