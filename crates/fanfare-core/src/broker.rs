//! The seam to brokers, which carry publications between nodes.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    Attributes, Channel, Incarnation, Partition, Payload, Publication, PublishError, Retention, SessionId,
    SubscribeError, Taken, TraceContext, attributes::PresenceChange, presence::PresenceEntry,
};

/// Carries publications between nodes.
///
/// # Guarantees
/// - **One path**: a publication that is published here comes back through [`BrokerEvents::publication`] like every
///   other, or not at all. Nothing is delivered on the way in.
/// - **Order**: publications of one channel are delivered in the order in which the broker accepted them, the same on
///   every node. Those of one [`PublishOrder`], and those without one, are accepted in the order of the calls, as far
///   as they belong to one partition.
/// - **Fair**: while more waits than the broker takes, publish orders have equal shares, and publications without a
///   publish order do not wait behind them.
/// - **At most once**: a publication enters the stream of its channel once at most. A publish with a [`Retention`] may
///   be written again after a connection ended: the broker recognises it. A publish without one is never repeated.
/// - **Kept**: a publish with a [`Retention`] gets the next offset of its channel, is put into the channel's history,
///   and its subscribers get it with its position. Its outcome is unknown only if the broker lost its memory, was
///   replaced by another, or stayed away for long.
/// - **Idempotent**: of publishes with the same idempotency key on the same channel one is delivered. The others get
///   its position, and [`Taken::duplicate`].
/// - **Answered**: each publish is answered exactly once, with what is known of it.
/// - **Partitions**: each channel belongs to one partition, always the same. A partition that fails leaves the others
///   as they are.
/// - No method blocks. Calls on one channel take effect in the order in which they were made.
pub trait Broker: Send + Sync + 'static {
    /// Hands over one publication. `done` is called exactly once, from any thread, never under a lock of the caller's.
    /// It must not block.
    ///
    /// The publications without a publish order that wait are bounded: the broker refuses more. The caller bounds the
    /// unanswered ones of each publish order.
    fn publish(&self, publish: Publish, done: Done);

    /// Asks for a channel's publications. The future ends once the broker confirmed the subscription: every publication
    /// that is accepted after that moment will be delivered. Dropping the future does not unsubscribe. A channel that
    /// is subscribed is confirmed at once.
    fn subscribe(&self, channel: &Channel) -> SubscribeFuture;

    /// Asks for no more of a channel's publications. The broker may wait before it acts, and some may still come.
    fn unsubscribe(&self, channel: &Channel);

    /// Sends a control message to one node or to all (the sender included): at most once, in order per sender.
    fn control(&self, to: Recipient, message: Bytes);

    /// The number of partitions: at least one. They are counted from 0.
    fn partitions(&self) -> u16 {
        1
    }

    /// The partition of a channel: below [`Broker::partitions`].
    fn partition_of(&self, _channel: &Channel) -> Partition {
        Partition(0)
    }

    /// The name of a partition, where there are several. It stays the same while others come and go.
    fn partition_name(&self, _partition: Partition) -> Option<&str> {
        None
    }

    /// The address of the server that a partition is on, for people: that of the newest connection. `None` before the
    /// first one, and in memory. It has neither a user nor a password.
    fn server(&self, _partition: Partition) -> Option<String> {
        None
    }

    /// The state of a partition at this moment.
    fn state(&self, partition: Partition) -> BrokerState;

    /// The worst state of all partitions.
    fn overall_state(&self) -> BrokerState {
        let states = (0..self.partitions()).map(|partition| self.state(Partition(partition)));
        states.max_by_key(|state| state.severity()).unwrap_or(BrokerState::Away)
    }

    /// Whether the node may take clients. With one partition: whether it is [`BrokerState::Up`]. With several: whether
    /// one of them is, and each of them was since the start. So one partition that fails takes no node away from the
    /// channels of the others.
    fn is_ready(&self) -> bool {
        self.overall_state() == BrokerState::Up
    }
}

/// The broker's calls to a node. Implemented by the hub.
///
/// # Guarantees
/// For each partition by itself:
/// - The calls come one after another, in the order of the partition's stream. The calls of different partitions may
///   come at the same time.
/// - [`BrokerEvents::interrupted`] and [`BrokerEvents::restored`] alternate, beginning with the former.
///   Publications that were accepted between the two moments may be missing, on any channel of the partition, and some
///   of them may still come. The deliveries before `interrupted` are complete up to a moment that may lie before the
///   call: the outage that `restored` tells begins there. Publications that are accepted after `restored` are
///   delivered, except on channels that the broker's own rules forbid since.
/// - A loss outside of an interruption is told by [`BrokerEvents::missed`], where the broker can see it. On a channel
///   that was forbidden it is told once the channel is permitted again.
pub trait BrokerEvents: Send + Sync + 'static {
    /// One publication, in order. Must not block. The caller asks [`BrokerEvents::poll_ready`] before it reads more
    /// from the broker.
    fn publication(&self, publication: Publication);

    /// Runs `deliver` now, which calls the other methods for everything that one read brought. So the node can write it
    /// out together.
    fn gather(&self, deliver: &mut dyn FnMut()) {
        deliver();
    }

    /// One control message. Must not block.
    fn control(&self, message: ControlMessage);

    /// From now on publications of this partition's channels may be missing. Must not block.
    fn interrupted(&self, partition: Partition, cause: Interruption);

    /// The interruption of this partition is over. Publications may have been missed for at most `outage`. Must not
    /// block.
    fn restored(&self, partition: Partition, outage: Duration);

    /// Publications of this channel were lost until now: at least one, or those that there were while the broker
    /// forbade the channel. Must not block.
    fn missed(&self, channel: &Channel);

    /// Ready while the node has room for more publications. Otherwise the task is woken once the node has. One task of
    /// each partition asks.
    fn poll_ready(&self, partition: Partition, cx: &mut Context<'_>) -> Poll<()>;

    /// Ready while so little is on its way to the node's clients that a publication that comes now is written out soon.
    /// Otherwise the task is woken once that is so. For a broker whose publications may as well wait where they take
    /// turns. One task of each partition asks.
    fn poll_calm(&self, partition: Partition, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_ready(partition, cx)
    }
}

/// One publication on its way in.
#[derive(Debug)]
pub struct Publish {
    /// The channel.
    pub channel: Channel,
    /// The payload.
    pub payload: Payload,
    /// The session that publishes it; `None` for the HTTP API.
    pub session: Option<SessionId>,
    /// The publish order of the session; `None` for the HTTP API.
    pub order: Option<Arc<PublishOrder>>,
    /// The span that its deliveries are under; `None` where it is not traced.
    pub trace: Option<TraceContext>,
    /// Its attributes. The relay has none.
    pub attributes: Option<Box<Attributes>>,
    /// How long it is kept in the channel's history; `None`: it is not kept, and has no position.
    pub retention: Option<Retention>,
}

impl Publish {
    /// A publish of the HTTP API, without attributes and not traced.
    #[must_use]
    #[inline]
    pub fn new(channel: Channel, payload: Payload) -> Self {
        Self { channel, payload, session: None, order: None, trace: None, attributes: None, retention: None }
    }

    /// The same by a session, behind those of its publish order.
    #[must_use]
    #[inline]
    pub fn by(self, session: SessionId, order: Option<Arc<PublishOrder>>) -> Self {
        Self { session: Some(session), order, ..self }
    }

    /// The same in this trace.
    #[must_use]
    #[inline]
    pub fn traced(self, trace: Option<TraceContext>) -> Self {
        Self { trace, ..self }
    }

    /// The same for all but this session, on whichever node that is.
    #[must_use]
    pub fn excluding(mut self, node: Incarnation, session: SessionId) -> Self {
        self.attributes_mut().exclude = Some((node, session));
        self
    }

    /// The same as an event of this name.
    #[must_use]
    pub fn named(mut self, event: impl Into<String>) -> Self {
        self.attributes_mut().event = Some(event.into());
        self
    }

    /// The same with these names and values.
    #[must_use]
    pub fn tagged(mut self, tags: Vec<(String, String)>) -> Self {
        self.attributes_mut().tags = tags;
        self
    }

    /// The same, published by this client for all to see.
    #[must_use]
    pub fn published_by(mut self, publisher: PresenceEntry) -> Self {
        self.attributes_mut().publisher = Some(publisher);
        self
    }

    /// News of a client that joined or left a channel.
    #[must_use]
    pub fn news(channel: Channel, change: PresenceChange, client: PresenceEntry) -> Self {
        let mut publish = Self::new(channel, Payload::text("")).published_by(client);
        publish.attributes_mut().presence = Some(change);
        publish
    }

    /// The same, kept in the history of its channel.
    #[must_use]
    #[inline]
    pub fn kept(self, retention: Option<Retention>) -> Self {
        Self { retention, ..self }
    }

    /// The same, taken only if no publish with this key was taken in this channel within [`IDEMPOTENCY_TTL`].
    #[must_use]
    pub fn once(mut self, key: impl Into<String>) -> Self {
        self.attributes_mut().idempotency_key = Some(key.into());
        self
    }

    /// The number of bytes that it takes on its way: those of its payload and of its attributes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> usize {
        self.payload.len() + self.attributes.as_ref().map_or(0, |attributes| attributes.bytes())
    }

    fn attributes_mut(&mut self) -> &mut Attributes {
        self.attributes.get_or_insert_default()
    }
}

/// How long a broker remembers an idempotency key.
pub const IDEMPOTENCY_TTL: Duration = Duration::from_secs(300);

/// Called once with the result of a publish.
pub type Done = Box<dyn FnOnce(Result<Taken, PublishError>) + Send>;

/// The answer to [`Broker::subscribe`].
pub type SubscribeFuture = Pin<Box<dyn Future<Output = Result<(), SubscribeError>> + Send>>;

/// Ties a publisher's publications together: after the first of them failed, the broker refuses every one that was not
/// written to it yet. One that was written before the failure is known may still be taken. Then the taken ones are not
/// a prefix of those that were sent, so a publisher that sends again waits for all its answers first.
///
/// The publications of a loose one ([`PublishOrder::loose`]) fail each by itself.
#[derive(Debug, Default)]
pub struct PublishOrder {
    is_loose: bool,
    failed: AtomicBool,
    /// The place of its next publication among those of all publish orders.
    turn: AtomicU64,
}

impl PublishOrder {
    /// A publish order for a publisher that is told the result of each publication: a failure refuses no other one.
    #[must_use]
    pub fn loose() -> Self {
        Self { is_loose: true, ..Self::default() }
    }

    /// Marks a failure. The broker does so before it answers the publish that failed.
    pub fn fail(&self) {
        self.failed.store(!self.is_loose, Ordering::Release);
    }

    /// Whether a publication failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// The turn of its next publication, which costs `cost`: `now`, or later where more of this publish order waits.
    /// For the broker, which shares its capacity among publish orders.
    pub fn take_turn(&self, now: u64, cost: u64) -> u64 {
        let next = |turn: u64| Some(turn.max(now).saturating_add(cost));
        // Several partitions may ask at the same time.
        let (Ok(before) | Err(before)) = self.turn.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        before.max(now)
    }
}

/// The recipients of a control message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// One node.
    Node(Incarnation),
    /// Every node, the sender included.
    All,
}

/// A message from node to node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlMessage {
    /// The sender.
    pub from: Incarnation,
    /// The message.
    pub body: Bytes,
}

/// The state of a partition of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerState {
    /// It takes publishes and delivers: the node heard its own canary.
    Up,
    /// It takes no publishes for now. The node tries again for as long as it takes.
    Away,
    /// It takes publishes, and this node hears none. The node restores its subscriptions.
    Deaf,
    /// It takes publishes and delivers, but new connections lead to another server that takes publishes too. The
    /// publishes of this node and of others do not reach all.
    Split,
}

impl BrokerState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Up, Self::Away, Self::Deaf, Self::Split];

    /// A word for it: in readiness, metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Away => "away",
            Self::Deaf => "deaf",
            Self::Split => "split",
        }
    }

    /// 0 for the best state, and more for a worse one.
    #[must_use]
    pub fn severity(self) -> u8 {
        match self {
            Self::Up => 0,
            Self::Split => 1,
            Self::Deaf => 2,
            Self::Away => 3,
        }
    }
}

/// Why subscriptions were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// Their connection ended.
    Lost,
    /// The broker did not answer in time, and both connections were given up.
    Silent,
    /// The broker took this node's own messages and did not deliver them.
    Deaf,
    /// The broker became a replica of another one, where others publish now; or a Cluster gave its part to another node.
    Demoted,
    /// The broker ended the connection because the node did not read fast enough: it limits the bytes that wait.
    Overflow,
    /// The broker held other subscriptions than the node had asked for.
    Forgotten,
    /// Some nodes were on another broker, which took publishes too.
    Split,
}

impl Interruption {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Lost, Self::Silent, Self::Deaf, Self::Demoted, Self::Overflow, Self::Forgotten, Self::Split];

    /// A word for it: a label in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Silent => "silent",
            Self::Deaf => "deaf",
            Self::Demoted => "demoted",
            Self::Overflow => "overflow",
            Self::Forgotten => "forgotten",
            Self::Split => "split",
        }
    }
}
