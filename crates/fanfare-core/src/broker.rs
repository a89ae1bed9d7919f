//! The seam to the broker, which carries publications between nodes.

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
/// - **One path**: what this node publishes comes back through [`BrokerEvents::publication`] like everything else, or
///   not at all. Nothing is delivered on the way in.
/// - **Order**: publications of one channel are delivered in the order in which the broker accepted them, the same on
///   every node. Publishes of one [`PublishOrder`], and those without one, are accepted in the order of the calls.
/// - **Fair**: while more waits than the broker takes, all publish orders get an equal share. Publishes without a
///   publish order do not wait behind them.
/// - **At most once**: an implementation never repeats a publish.
/// - **Answered**: each publish is answered exactly once, with what is known of it.
/// - No method blocks; calls on one channel take effect in the order they were made.
pub trait Broker: Send + Sync + 'static {
    /// Hands over one publish. `done` is called exactly once, from any thread, never under a lock of the caller. It
    /// must not block.
    ///
    /// Waiting publishes without a publish order are bounded: further ones are refused. The unanswered publishes of a
    /// publish order are bounded by the caller.
    fn publish(&self, publish: Publish, done: Done);

    /// Subscribes to a channel. The future ends once the broker confirmed it: every publication that is accepted after
    /// that moment will be delivered. Dropping the future does not unsubscribe. For a channel that is subscribed the
    /// future ends at once.
    fn subscribe(&self, channel: &Channel) -> SubscribeFuture;

    /// Unsubscribes from a channel. The broker may linger before it acts, and some publications may still come.
    fn unsubscribe(&self, channel: &Channel);

    /// Sends a control message to one node or to all (the sender included): at most once, in order per sender.
    fn control(&self, to: Recipient, message: Bytes);

    /// The state of the broker at this moment.
    fn state(&self) -> BrokerState;
}

/// The broker's calls to a node. Implemented by the hub.
///
/// # Guarantees
/// - The calls come one after another, in the order of the broker's stream.
/// - [`BrokerEvents::interrupted`] and [`BrokerEvents::restored`] alternate, beginning with the former. Publications
///   that were accepted between the two may be missing, on any channel, and some of them may still come. Before
///   `interrupted` nothing is missing up to a moment that may lie before the call: the outage that `restored` tells
///   begins there. What is accepted after `restored` is delivered, except on channels that the broker's own rules
///   forbid since then.
/// - A loss outside of an interruption, where it can be seen, is told by [`BrokerEvents::missed`]. On a channel that
///   was forbidden it is told once the channel is permitted again.
pub trait BrokerEvents: Send + Sync + 'static {
    /// One publication, in order. Must not block. The caller asks [`BrokerEvents::poll_ready`] before it reads more
    /// from the broker.
    fn publication(&self, publication: Publication);

    /// Runs `deliver` now, which calls the other methods for all that one read brought. So the node can write it out
    /// together.
    fn gather(&self, deliver: &mut dyn FnMut()) {
        deliver();
    }

    /// One control message. Must not block.
    fn control(&self, message: ControlMessage);

    /// From now on publications may be missing. Must not block.
    fn interrupted(&self, cause: Interruption);

    /// The interruption is over. Publications may have been missed for at most the time of `outage`. Must not block.
    fn restored(&self, outage: Duration);

    /// Publications of this channel were lost until now: at least one, or all while the broker forbade it. Must not
    /// block.
    fn missed(&self, channel: &Channel);

    /// Ready when the node takes more publications; else the task is woken once it does. One task asks.
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Ready when few enough bytes are on their way to the node's clients that what comes now is written out soon; else
    /// the task is woken once that is the case. For a broker whose publications may wait where they take turns. One
    /// task asks.
    fn poll_calm(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_ready(cx)
    }
}

/// One publish on its way to the broker.
#[derive(Debug)]
pub struct Publish {
    /// The channel.
    pub channel: Channel,
    /// The payload.
    pub payload: Payload,
    /// The session that publishes; `None` for the HTTP API.
    pub session: Option<SessionId>,
    /// The publish order of the session; `None` for the HTTP API.
    pub order: Option<Arc<PublishOrder>>,
    /// The parent span of its deliveries; `None` where it is not traced.
    pub trace: Option<TraceContext>,
}

/// Called once with the result of a publish.
pub type Done = Box<dyn FnOnce(Result<(), PublishError>) + Send>;

/// The answer to [`Broker::subscribe`].
pub type SubscribeFuture = Pin<Box<dyn Future<Output = Result<(), SubscribeError>> + Send>>;

/// The order of one publisher's publishes: after the first that failed, every one that was not written to the broker
/// yet is refused. One that was written before may still be taken. Then the publishes taken are not a prefix of those
/// sent, so a publisher waits for all answers before it sends again.
#[derive(Debug, Default)]
pub struct PublishOrder {
    failed: AtomicBool,
    /// The place of its next publish among those of all publish orders.
    turn: AtomicU64,
}

impl PublishOrder {
    /// Marks a failure. The broker does so before it answers the publish that failed.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Whether a publish failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// The turn of its next publish, of this cost: `now`, or later where more of this publish order waits. Called by
    /// the broker, from one thread at a time.
    pub fn take_turn(&self, now: u64, cost: u64) -> u64 {
        let turn = self.turn.load(Ordering::Relaxed).max(now);
        self.turn.store(turn.saturating_add(cost), Ordering::Relaxed);
        turn
    }
}

/// The receiver of a control message.
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

/// The state of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerState {
    /// It takes publishes and delivers: the node heard its own canary.
    Up,
    /// It takes no publishes for now. The node tries again for as long as it takes.
    Away,
    /// It takes publishes, and this node hears none. Its subscriptions are being restored.
    Deaf,
    /// It takes publishes and delivers, but new connections lead to another broker that takes publishes too. What this
    /// node and others publish does not reach all.
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

/// Why subscriptions were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// Their connection ended.
    Lost,
    /// The broker did not answer in time, and both connections were given up.
    Silent,
    /// The broker took this node's own messages and did not deliver them.
    Deaf,
    /// The broker became a replica of another one, where others publish now.
    Demoted,
    /// The broker ended the connection because the node did not read fast enough: it limits what waits.
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
