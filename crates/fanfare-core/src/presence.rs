//! The seam to presence: the clients that are in a channel.

use std::{future::Future, pin::Pin};

use bytes::Bytes;

use crate::{Channel, ClientId};

/// Says on every node which clients are in a channel.
///
/// # Guarantees
/// - **One holder**: an entry is held by the node that entered it, under that node's incarnation, until that node lets
///   it leave.
/// - **No ghosts**: no reader gets an entry of a node later than ten seconds after that node died.
/// - **Late is not lost**: while the broker is away, changes wait, and are written once it is back. The entries that a
///   node holds are written again where the broker lost them.
/// - **Told once**: the node whose read removes an entry of a dead node tells it ([`Presence::on_removed`]), at once; no
///   other node does. It stays untold where that node dies too, or loses the broker before its answer, and where the
///   broker lost the entry before a read.
/// - **Back**: a node that was taken for dead enters its clients again by itself, and tells each whose entry was removed
///   ([`Presence::on_returned`]). It stays untold where the broker lost its memory meanwhile, or its connection.
/// - [`Presence::enter`] and [`Presence::leave`] do not block, and take effect in the order of the calls.
pub trait Presence: Send + Sync + 'static {
    /// Enters a client of this node into a channel, or replaces its entry.
    fn enter(&self, channel: &Channel, entry: PresenceEntry);

    /// Ends once every reader gets the entries that this node entered into the channel until now, or it is known to take
    /// longer. `None`: one of both is so already.
    fn entered(&self, channel: &Channel) -> Option<Entered>;

    /// Removes a client of this node from a channel. The entry that it had there.
    fn leave(&self, channel: &Channel, client: ClientId) -> Option<PresenceEntry>;

    /// From now on `removed` is called with each entry of a dead node that a read of this node removed. It must not
    /// block. The first call of this method counts. Where no entry outlives its node, `removed` is never called.
    fn on_removed(&self, _removed: OnRemoved) {}

    /// From now on `returned` is called with each entry of this node that another node removed, as it took this one for
    /// dead, and that was entered again. It must not block, nor call this presence. The first call of this method counts.
    fn on_returned(&self, _returned: OnReturned) {}

    /// The clients in a channel, ordered by client.
    fn members(&self, channel: &Channel) -> PresenceFuture<Vec<PresenceEntry>>;

    /// The numbers of clients and of users in a channel.
    fn stats(&self, channel: &Channel) -> PresenceFuture<PresenceStats>;
}

/// A client in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceEntry {
    /// The client.
    pub client: ClientId,
    /// Its user, where its token names one.
    pub user: Option<String>,
    /// Information about its connection, from its token: JSON that the node does not read.
    pub client_info: Option<Bytes>,
    /// Information about its subscription: JSON that the node does not read.
    pub channel_info: Option<Bytes>,
}

impl PresenceEntry {
    /// The number of bytes of user and information together, and of the client's id.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let len = |info: &Option<Bytes>| info.as_ref().map_or(0, Bytes::len);
        size_of::<ClientId>()
            + self.user.as_ref().map_or(0, String::len)
            + len(&self.client_info)
            + len(&self.channel_info)
    }
}

/// The size of a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PresenceStats {
    /// The number of clients.
    pub clients: u64,
    /// The number of different users. Clients without a user count as one.
    pub users: u64,
}

/// Called with an entry of a dead node that was removed.
pub type OnRemoved = Box<dyn Fn(&Channel, PresenceEntry) + Send + Sync>;

/// Called with an entry of this node that is there again.
pub type OnReturned = Box<dyn Fn(&Channel, PresenceEntry) + Send + Sync>;

/// The future that [`Presence::entered`] returns.
pub type Entered = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The future that the methods of [`Presence`] return.
pub type PresenceFuture<T> = Pin<Box<dyn Future<Output = Result<T, PresenceError>> + Send>>;

/// Presence cannot be read at this moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("presence cannot be read: {0}")]
pub struct PresenceError(pub String);

/// The presence of a broker without presence: it answers with an error.
#[derive(Debug, Clone, Copy)]
pub struct NoPresence;

impl NoPresence {
    fn error<T: Send + 'static>() -> PresenceFuture<T> {
        Box::pin(std::future::ready(Err(PresenceError("this broker lists no clients".to_owned()))))
    }
}

impl Presence for NoPresence {
    fn enter(&self, _: &Channel, _: PresenceEntry) {}

    fn entered(&self, _: &Channel) -> Option<Entered> {
        None
    }

    fn leave(&self, _: &Channel, _: ClientId) -> Option<PresenceEntry> {
        None
    }

    fn members(&self, _: &Channel) -> PresenceFuture<Vec<PresenceEntry>> {
        Self::error()
    }

    fn stats(&self, _: &Channel) -> PresenceFuture<PresenceStats> {
        Self::error()
    }
}
