//! The seam to what carries publications between nodes.

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
    Channel, Incarnation, Payload, Publication, PublishError, SessionId, SubscribeError, TraceContext,
};

/// Carries publications between nodes.
///
/// # Guarantees
/// - **One path**: what is published here comes back through [`BrokerEvents::publication`] like everything
///   else, or not at all. Nothing is delivered on the way in.
/// - **Order**: publications of one channel are delivered in the order the broker accepted them, the same on
///   every node; those of one [`PublishOrder`], and those without one, are accepted in the order of the calls.
/// - **Fair**: while more waits than the broker takes, publish orders share alike, and what comes without a publish order does not wait
///   behind them.
/// - **At most once**: an implementation never repeats a publication.
/// - **Said**: each publish is answered exactly once, with what is known of it.
/// - No method blocks; calls on one channel take effect in the order they were made.
pub trait Broker: Send + Sync + 'static {
    /// Hands over one publication; `done` is called exactly once, from any thread, never under a lock of the
    /// caller's. It must not block.
    ///
    /// What waits of publications without a publish order is bounded: what is more is refused. Of those with one the caller
    /// bounds what is unanswered.
    fn publish(&self, publish: Publish, done: Done);

    /// Asks for a channel's publications. The future ends once the broker confirmed it: every publication
    /// that is accepted after that moment will be delivered. Dropping the future does not unsubscribe.
    /// Asking for a channel that is subscribed is answered at once.
    fn subscribe(&self, channel: &Channel) -> SubscribeFuture;

    /// Asks for no more of a channel's publications. The broker may linger before it acts, and some may
    /// still come.
    fn unsubscribe(&self, channel: &Channel);

    /// Sends a control message to one node or to all (the sender too): at most once, in order per sender.
    fn control(&self, to: Recipient, message: Bytes);

    /// What the broker can do at this moment.
    fn state(&self) -> BrokerState;
}

/// What the broker tells a node. Implemented by the hub.
///
/// # Guarantees
/// - The calls come one after another, in the order of the broker's stream.
/// - [`BrokerEvents::interrupted`] and [`BrokerEvents::restored`] alternate, beginning with the former.
///   Publications that were accepted between the two moments may be missing, on any channel, and some of them may
///   still come. What was delivered before `interrupted` is whole up to a moment that may lie before the call:
///   the outage told later begins there. What is accepted after `restored` is delivered, but on channels that the
///   broker's own rules forbid since.
/// - A loss outside of that, where it can be seen, is told by [`BrokerEvents::missed`]; on a channel that was
///   forbidden, once it is permitted again.
pub trait BrokerEvents: Send + Sync + 'static {
    /// One publication, in order. Must not block; the caller asks [`BrokerEvents::poll_ready`] before it reads
    /// more from the broker.
    fn publication(&self, publication: Publication);

    /// Runs `deliver`, which calls the others, now: what one read brought. The node may begin with it only when all
    /// of it is there, and so write it out together.
    fn gather(&self, deliver: &mut dyn FnMut()) {
        deliver();
    }

    /// One control message. Must not block.
    fn control(&self, message: ControlMessage);

    /// From now on publications may be missing. Must not block.
    fn interrupted(&self, cause: Interruption);

    /// The interruption is over; for so long, at most, publications may have been missed. Must not block.
    fn restored(&self, outage: Duration);

    /// Publications of this channel were lost until now: at least one, or those that there were while the broker
    /// forbade it. Must not block.
    fn missed(&self, channel: &Channel);

    /// Ready when the node has room for more publications; else the task is woken once it has. One task asks.
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Ready when so little is on its way to the node's clients that what comes now is written out soon; else the task
    /// is woken once that is so. For a broker whose publications may as well wait where they take turns. One task
    /// asks.
    fn poll_calm(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_ready(cx)
    }
}

/// One publication on its way in.
#[derive(Debug)]
pub struct Publish {
    /// Where to.
    pub channel: Channel,
    /// What.
    pub payload: Payload,
    /// The session that publishes it; `None` for the HTTP API.
    pub session: Option<SessionId>,
    /// What ties a publisher's publications together; `None` for the HTTP API. See [`PublishOrder`].
    pub order: Option<Arc<PublishOrder>>,
    /// The span that its deliveries are under; `None` where it is not traced.
    pub trace: Option<TraceContext>,
}

/// Called once with what became of a publish.
pub type Done = Box<dyn FnOnce(Result<(), PublishError>) + Send>;

/// The answer to [`Broker::subscribe`].
pub type SubscribeFuture = Pin<Box<dyn Future<Output = Result<(), SubscribeError>> + Send>>;

/// Ties a publisher's publications together: after the first of them failed, every one that was not written to
/// the broker yet is refused. One that was written before that is known may still be taken: then what got through is
/// not a prefix of what was sent, so whoever sends again waits for all its answers first.
#[derive(Debug, Default)]
pub struct PublishOrder {
    failed: AtomicBool,
    /// Where its next publication stands among those of all publish orders.
    turn: AtomicU64,
}

impl PublishOrder {
    /// Marks a failure. The broker does so before it answers the publish that failed.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Whether a publication failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// The turn of its next publication, which costs so much: `now`, or later where more of the publish order waits. For the
    /// broker, which shares what it has among publish orders; from one thread at a time.
    pub fn take_turn(&self, now: u64, cost: u64) -> u64 {
        let turn = self.turn.load(Ordering::Relaxed).max(now);
        self.turn.store(turn.saturating_add(cost), Ordering::Relaxed);
        turn
    }
}

/// Whom a control message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// One node.
    Node(Incarnation),
    /// Every node, the sender too.
    All,
}

/// A message from node to node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlMessage {
    /// Who sent it.
    pub from: Incarnation,
    /// What.
    pub body: Bytes,
}

/// What a broker can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerState {
    /// Publishes and delivers: the node heard its own voice.
    Up,
    /// Takes no publications for now; it is tried again for as long as it takes.
    Away,
    /// Takes publications, and this node hears none; its subscriptions are being restored.
    Deaf,
    /// Publishes and delivers, but new connections lead to another broker that takes publications too: what this node
    /// and others publish does not reach all.
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
}

/// Why subscriptions that stood do not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// Their connection ended.
    Lost,
    /// The broker answered nothing for so long that both connections were given up.
    Silent,
    /// The broker took this node's own messages and did not deliver them.
    Deaf,
    /// The broker became a replica of another, where others publish now.
    Demoted,
    /// The broker ended the connection while the node did not keep up with reading: it has a limit for what waits.
    Overflow,
    /// The broker held other subscriptions than the node had asked for.
    Forgotten,
    /// Some nodes were on another broker, which took publications too.
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
