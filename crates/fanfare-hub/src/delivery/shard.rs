//! A part of the sessions, and the queue of what came in for them.
//!
//! Invariants
//! - The queue keeps the order in which the dispatcher handed publications over, and numbers them.
//! - A member that joined at sequence `n` gets nothing below `n`: what was queued before it joined is not for it.
//! - The table's lock is taken by joining, leaving and the shard's own tick only, and never across an await. A
//!   tick works on a snapshot; who joins or leaves meanwhile changes the table, not the snapshot.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
    hash::{Hash, Hasher},
    sync::Arc,
};

use fanfare_core::{Channel, Disconnect, SessionId};
use indexmap::IndexMap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    delivery::batch::Queued,
    session::{incomplete::Incomplete, state::Session},
    upkeep::{heartbeat::Wheel, slow::Watched, stall::ShardProgress},
};

/// A part of the sessions.
#[derive(Default)]
pub struct Shard {
    inbox: Mutex<Inbox>,
    arrived: Notify,
    table: Mutex<Table>,
    /// Seconds that its sessions are judged by.
    pub(crate) wheel: Wheel,
    /// Those for which something waits.
    pub(crate) watched: Watched,
    /// Those of which a message came in part.
    pub(crate) incomplete: Incomplete,
    /// The signs of life of its tasks.
    pub(crate) progress: ShardProgress,
}

#[derive(Default)]
struct Inbox {
    next: u64,
    arrivals: Arrivals,
}

/// What came in for a shard.
#[derive(Default)]
pub(crate) struct Arrivals {
    /// To be written out first.
    pub(crate) queued: Vec<Queued>,
    /// Then these sessions end.
    pub(crate) goodbyes: Vec<(Arc<Session>, Disconnect)>,
}

impl Arrivals {
    fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.goodbyes.is_empty()
    }
}

#[derive(Default)]
struct Table {
    channels: HashMap<Channel, Arc<Members>>,
    sessions: HashSet<SessionById>,
}

/// The subscribers of one channel in one shard, each with the sequence of the first publication that is for it:
/// contiguous for the fan-out, removed from in O(1).
pub type Members = IndexMap<SessionById, u64>;

/// A session in a table, found by its number, which is not stored beside it: there is one of these for each connection.
#[derive(Clone)]
pub struct SessionById(pub(crate) Arc<Session>);

impl Borrow<SessionId> for SessionById {
    fn borrow(&self) -> &SessionId {
        &self.0.id
    }
}

impl Hash for SessionById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl PartialEq for SessionById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for SessionById {}

impl Shard {
    /// Queues a publication; `queued` is told its sequence. Whether the shard is to be woken for it.
    #[must_use]
    pub(crate) fn push(&self, queued: impl FnOnce(u64) -> Queued) -> bool {
        self.arrive(|inbox| {
            inbox.arrivals.queued.push(queued(inbox.next));
            inbox.next += 1;
        })
    }

    /// Ends a session behind what is queued now.
    pub(crate) fn push_goodbye(&self, session: Arc<Session>, disconnect: Disconnect) {
        if self.arrive(|inbox| inbox.arrivals.goodbyes.push((session, disconnect))) {
            self.wake();
        }
    }

    fn arrive(&self, push: impl FnOnce(&mut Inbox)) -> bool {
        let mut inbox = self.inbox.lock();
        let was_empty = inbox.arrivals.is_empty();
        push(&mut inbox);
        was_empty
    }

    /// Ends when something may have arrived.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Wakes the tick. Where nothing arrived, it shows that it goes on.
    pub(crate) fn wake(&self) {
        self.arrived.notify_one();
    }

    /// Moves all that arrived into `taken`, which must be empty. Whether there was anything.
    pub(crate) fn take(&self, taken: &mut Arrivals) -> bool {
        std::mem::swap(&mut self.inbox.lock().arrivals, taken);
        !taken.is_empty()
    }

    /// The members of a channel at this moment.
    pub(crate) fn members(&self, channel: &Channel) -> Option<Arc<Members>> {
        self.table.lock().channels.get(channel).cloned()
    }

    /// The second that it is by the shard's own clock.
    pub(crate) fn now(&self) -> u32 {
        self.wheel.now()
    }

    pub(crate) fn add(&self, session: Arc<Session>) {
        self.wheel.add(&session);
        self.table.lock().sessions.insert(SessionById(session));
    }

    pub(crate) fn session(&self, id: SessionId) -> Option<Arc<Session>> {
        self.table.lock().sessions.get(&id).map(|session| session.0.clone())
    }

    pub(crate) fn remove(&self, session: &Session) {
        self.table.lock().sessions.remove(&session.id);
    }

    /// Adds a member to a channel, from what is queued next on.
    pub(crate) fn join(&self, channel: &Channel, session: &Arc<Session>) {
        let mut table = self.table.lock();
        let since = self.inbox.lock().next;
        let members = table.channels.entry(channel.clone()).or_default();
        Arc::make_mut(members).insert(SessionById(session.clone()), since);
    }

    /// Removes a member from a channel. Whether the channel has no other in this shard.
    pub(crate) fn leave(&self, channel: &Channel, session: &Session) -> bool {
        let mut table = self.table.lock();
        let Some(members) = table.channels.get_mut(channel) else { return true };
        Arc::make_mut(members).swap_remove(&session.id);
        let is_empty = members.is_empty();
        if is_empty {
            table.channels.remove(channel);
        }
        is_empty
    }

    /// All sessions at this moment.
    #[must_use]
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        self.table.lock().sessions.iter().map(|session| session.0.clone()).collect()
    }
}
