//! A part of the sessions, and the queue of their publications.
//!
//! Invariants
//! - The queue keeps the order in which the dispatcher handed publications over, and numbers them.
//! - A member that joined at sequence `n` gets nothing below `n`, which was queued before it joined.
//! - The table's lock is taken only by joining, leaving and the shard's own tick, and never across an await. A tick
//!   works on a snapshot: a session that joins or leaves meanwhile changes the table, not the snapshot.

use std::{
    borrow::Borrow,
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::Arc,
};

use fanfare_core::{Channel, ChannelMap, Disconnect, FastHash, SessionId};
use indexmap::IndexMap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    delivery::{
        bases::Base,
        batch::Queued,
        membership::{Joining, Membership, View},
        progress::ShardProgress,
        wishes::Wishes,
    },
    session::{incomplete::Incomplete, state::Session},
    upkeep::{watched::Watched, wheel::Wheel},
};

/// A part of the sessions.
#[derive(Default)]
pub struct Shard {
    inbox: Mutex<Inbox>,
    arrived: Notify,
    table: Mutex<Table>,
    /// The clock of its sessions, and their heartbeats.
    pub(crate) wheel: Wheel,
    /// The sessions for which bytes wait.
    pub(crate) watched: Watched,
    /// The sessions whose readers hold bytes.
    pub(crate) incomplete: Incomplete,
    /// The progress of its tasks.
    pub(crate) progress: ShardProgress,
}

#[derive(Default)]
struct Inbox {
    next: u64,
    queue: ShardQueue,
}

/// The queue of a shard.
#[derive(Default)]
pub(crate) struct ShardQueue {
    /// Publications, to be written out first.
    pub(crate) queued: Vec<Queued>,
    /// Sessions that end afterwards.
    pub(crate) goodbyes: Vec<(Arc<Session>, Disconnect)>,
}

impl ShardQueue {
    fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.goodbyes.is_empty()
    }
}

#[derive(Default)]
struct Table {
    channels: ChannelMap<Arc<Members>>,
    /// The wishes of the channels that have a member with one.
    wishes: ChannelMap<Arc<Wishes>>,
    sessions: HashSet<SessionById, FastHash>,
}

/// The subscribers of one channel in one shard. They lie side by side for the fan-out, and are removed in O(1).
pub type Members = IndexMap<SessionById, Membership, FastHash>;

/// A session in a table, found by its number. The number is not stored beside it, since there is one of these for each
/// connection.
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
    /// Queues the publication that `queued` makes with its sequence. Whether the shard is to be woken for it.
    #[must_use]
    pub(crate) fn push(&self, queued: impl FnOnce(u64) -> Queued) -> bool {
        self.arrive(|inbox| {
            inbox.queue.queued.push(queued(inbox.next));
            inbox.next += 1;
        })
    }

    /// Queues the end of a session behind its publications.
    pub(crate) fn push_goodbye(&self, session: Arc<Session>, disconnect: Disconnect) {
        if self.arrive(|inbox| inbox.queue.goodbyes.push((session, disconnect))) {
            self.wake();
        }
    }

    fn arrive(&self, push: impl FnOnce(&mut Inbox)) -> bool {
        let mut inbox = self.inbox.lock();
        let was_empty = inbox.queue.is_empty();
        push(&mut inbox);
        was_empty
    }

    /// Ends when something may have been queued.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Wakes the tick. Where nothing is queued, the tick only makes a step of progress.
    pub(crate) fn wake(&self) {
        self.arrived.notify_one();
    }

    /// Moves all that is queued into `taken`, which must be empty. Whether there was anything.
    pub(crate) fn take(&self, taken: &mut ShardQueue) -> bool {
        std::mem::swap(&mut self.inbox.lock().queue, taken);
        !taken.is_empty()
    }

    /// Whether nothing is queued.
    pub(crate) fn is_idle(&self) -> bool {
        self.inbox.lock().queue.is_empty()
    }

    /// The members of a channel at this moment.
    pub(crate) fn members(&self, channel: &Channel) -> Option<Arc<Members>> {
        self.table.lock().channels.get(channel).cloned()
    }

    /// The members of a channel at this moment, and their wishes where they have any.
    pub(crate) fn audience(&self, channel: &Channel) -> Option<(Arc<Members>, Option<Arc<Wishes>>)> {
        let table = self.table.lock();
        let members = table.channels.get(channel)?.clone();
        let wishes = if table.wishes.is_empty() { None } else { table.wishes.get(channel).cloned() };
        Some((members, wishes))
    }

    /// The second that it is by the shard's clock.
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

    /// Adds a member to a channel. It gets what is queued from now on.
    pub(crate) fn join(&self, channel: &Channel, session: &Arc<Session>, joining: &Joining) {
        let mut table = self.table.lock();
        let membership = Membership::new(self.inbox.lock().next, joining);
        let members = table.channels.entry(channel.clone()).or_default();
        Arc::make_mut(members).insert(SessionById(session.clone()), membership);
        if Wishes::has(joining) {
            let wishes = table.wishes.entry(channel.clone()).or_default();
            Arc::make_mut(wishes).insert(session.id, joining);
        }
    }

    /// A member that gets differences has all before this place.
    pub(crate) fn set_base(&self, channel: &Channel, session: &Session, base: Base) {
        let mut table = self.table.lock();
        let membership = table.channels.get(channel).and_then(|members| members.get(&session.id)).copied();
        if membership.is_some_and(Membership::is_delta)
            && let Some(wishes) = table.wishes.get_mut(channel)
        {
            Arc::make_mut(wishes).bases.insert(session.id, base);
        }
    }

    /// The place of a member that gets differences; `None`: the session is not such a member.
    pub(crate) fn base(&self, channel: &Channel, session: &Session) -> Option<Base> {
        let table = self.table.lock();
        let membership = table.channels.get(channel)?.get(&session.id)?;
        membership.is_delta().then(|| table.wishes.get(channel)?.bases.get(session.id))
    }

    /// The membership of a session in a channel.
    pub(crate) fn membership(&self, channel: &Channel, session: &Session) -> Option<Membership> {
        self.table.lock().channels.get(channel)?.get(&session.id).copied()
    }

    /// Changes what a member gets of a channel.
    pub(crate) fn change_view(&self, channel: &Channel, session: &Session, view: View) {
        let mut table = self.table.lock();
        let Some(members) = table.channels.get_mut(channel) else { return };
        if let Some(membership) = Arc::make_mut(members).get_mut(&session.id) {
            *membership = membership.with(view);
        }
    }

    /// Removes a member from a channel. Its membership, and whether the channel has no other member in this shard.
    pub(crate) fn leave(&self, channel: &Channel, session: &Session) -> (Option<Membership>, bool) {
        let mut table = self.table.lock();
        let Some(members) = table.channels.get_mut(channel) else { return (None, true) };
        let left = Arc::make_mut(members).swap_remove(&session.id);
        let is_empty = members.is_empty();
        if is_empty {
            table.channels.remove(channel);
        }
        if left.is_some_and(Wishes::has_member) {
            table.remove_wish(channel, session.id);
        }
        (left, is_empty)
    }

    /// All sessions at this moment.
    #[must_use]
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        self.table.lock().sessions.iter().map(|session| session.0.clone()).collect()
    }
}

impl Table {
    fn remove_wish(&mut self, channel: &Channel, session: SessionId) {
        let Some(wishes) = self.wishes.get_mut(channel) else { return };
        if Wishes::remove(wishes, session) {
            self.wishes.remove(channel);
        }
    }
}
