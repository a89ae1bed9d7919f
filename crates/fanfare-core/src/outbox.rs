//! The seam to the outbox: events about clients and channels, which wait until the operator's backend took them.

use std::{future::Future, pin::Pin, time::Duration};

use crate::{Channel, ClientId};

/// The most events that wait in an outbox.
pub const MAX_EVENTS: usize = 100_000;

/// Keeps events until the backend took them, in one order for all nodes.
///
/// # Guarantees
/// - **With its state**: a channel becomes occupied or vacated, and a client enters or leaves its presence, in one step
///   with the event about it. So an event is not lost with the node that caused it, and is made once.
/// - **The newest state counts**: while the broker is away, a node keeps for each channel only what is to be written. A
///   change that was undone before it was written makes no event.
/// - **Order**: the events of one channel are in the order of its changes. A channel is occupied before its members join,
///   and is vacated after they left.
/// - **No ghosts**: the channels and members of a node that died are vacated and left once, by a node that calls
///   [`Outbox::bury`].
/// - **At least once**: an event stays until [`Outbox::remove`]. An outbox with [`MAX_EVENTS`] loses the oldest ones
///   first, and counts them. The end of a connection is lost with its node where it was not written yet.
/// - [`Outbox::occupy`] and [`Outbox::disconnected`] do not block, and take effect in the order of the calls.
pub trait Outbox: Send + Sync + 'static {
    /// From now on the members of a channel make events where `wants` says so when they enter it. The first call counts.
    fn members_of(&self, wants: WantsEvents);

    /// Whether this node has clients in a channel. The channel is occupied while a node has, or while its presence
    /// lists members that make events.
    fn occupy(&self, channel: &Channel, is_occupied: bool);

    /// A client's connection ended.
    fn disconnected(&self, end: ConnectionEnd);

    /// Keeps the right to send for this node for that long, where no other node has it, and reads the oldest events: at
    /// most `most`. `None` where another node has it.
    fn next(&self, most: usize, hold: Duration) -> OutboxFuture<Option<Waiting>>;

    /// Removes the events up to this one, which the backend took. The number of those that wait still.
    fn remove(&self, up_to: &EventId) -> OutboxFuture<u64>;

    /// Gives up the right to send, if this node has it.
    fn release(&self) -> OutboxFuture<()>;

    /// Makes the events about nodes that died.
    fn bury(&self) -> OutboxFuture<()>;
}

/// Whether the members of a channel make events.
pub type WantsEvents = Box<dyn Fn(&Channel) -> bool + Send + Sync>;

/// The end of a client's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionEnd {
    /// The client.
    pub client: ClientId,
    /// Its user; empty: none.
    pub user: String,
    /// The close code, of whichever side closed. `None`: the connection broke, or the client gave none.
    pub code: Option<u16>,
    /// The sentence that the client was told, or a word for the cause.
    pub reason: String,
}

/// A change of a channel, or the end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The first client is in a channel.
    Occupied(Channel),
    /// The last client left a channel.
    Vacated(Channel),
    /// A client entered the presence of a channel.
    Joined(Channel, Member),
    /// A client left it.
    Left(Channel, Member),
    /// A client's connection ended.
    Disconnected(ConnectionEnd),
}

/// A client in a channel with presence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The client.
    pub client: ClientId,
    /// Its user; empty: none.
    pub user: String,
}

/// The place of an event in the order of the outbox: greater than those of all events before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventId(pub String);

/// An event in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEvent {
    /// Its place.
    pub id: EventId,
    /// When it was written, in milliseconds since 1970.
    pub time_ms: u64,
    /// The change.
    pub event: Event,
}

/// The beginning of the outbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The oldest events, in order.
    pub events: Vec<OutboxEvent>,
    /// The place of the last entry that was read. There may be entries without an event: those of a newer release.
    pub last: Option<EventId>,
    /// The number of all events that wait.
    pub count: u64,
}

/// The future that the methods of [`Outbox`] return.
pub type OutboxFuture<T> = Pin<Box<dyn Future<Output = Result<T, OutboxError>> + Send>>;

/// The outbox cannot be reached at this moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the outbox cannot be reached: {0}")]
pub struct OutboxError(pub String);

/// The outbox of a broker without one: no event is kept.
#[derive(Debug, Clone, Copy)]
pub struct NoOutbox;

impl NoOutbox {
    fn done<T: Default + Send + 'static>() -> OutboxFuture<T> {
        Box::pin(std::future::ready(Ok(T::default())))
    }
}

impl Outbox for NoOutbox {
    fn members_of(&self, _: WantsEvents) {}

    fn occupy(&self, _: &Channel, _: bool) {}

    fn disconnected(&self, _: ConnectionEnd) {}

    fn next(&self, _: usize, _: Duration) -> OutboxFuture<Option<Waiting>> {
        Self::done()
    }

    fn remove(&self, _: &EventId) -> OutboxFuture<u64> {
        Self::done()
    }

    fn release(&self) -> OutboxFuture<()> {
        Self::done()
    }

    fn bury(&self) -> OutboxFuture<()> {
        Self::done()
    }
}
