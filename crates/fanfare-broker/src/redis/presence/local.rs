//! The entries that this node holds, and the changes that Redis did not take yet. No I/O.
//!
//! Invariants
//! - A change stays until Redis took it, and the newest one of a client counts. A client that left before Redis got its entry
//!   needs none: while Redis refuses changes, only clients that are here wait, and entries that Redis has.
//! - Whoever waits for a channel's changes is told when the batch with all of them was written, or was not. While Redis
//!   refuses changes nobody waits for them.
//! - A channel makes events from the first member on that makes some, or from the first call that says that the node
//!   occupies it. It does so until it was written that the node does not occupy it any more. The node occupies it while it
//!   has clients there, or entries.
//! - A channel is blocked while its key in Redis is not a hash: no entry of it is there, and none is to be written. Behind
//!   that all are. So a blocked channel holds no changes of clients, which would grow.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Bound,
    sync::OnceLock,
};

use bytes::Bytes;
use fanfare_core::{
    Channel, ClientId,
    outbox::WantsEvents,
    presence::{OnReturned, PresenceEntry},
};
use parking_lot::Mutex;
use prometheus::IntGauge;
use tokio::sync::{Notify, oneshot};

use super::value;

mod change;
mod pending;

pub(super) use change::{Change, Field};
use pending::Pending;
pub(super) use pending::Stored;

/// See the head of this file.
pub(crate) struct Local {
    state: Mutex<State>,
    /// Whether the members of a channel make events.
    wants: OnceLock<WantsEvents>,
    /// Told of each client that is back.
    returned: OnceLock<OnReturned>,
    /// Wakes the task that writes.
    pub(super) changed: Notify,
    held: IntGauge,
}

#[derive(Debug, Default)]
struct State {
    channels: HashMap<Channel, BTreeMap<ClientId, Bytes>>,
    /// The clients whose entries changed.
    changes: BTreeMap<Channel, Pending>,
    /// Those that wait for these changes.
    waiting: HashMap<Channel, Vec<Waiter>>,
    /// The channels whose changes are being written, and those that wait for it.
    writing: HashMap<Channel, Vec<Waiter>>,
    /// The next changes are of the channels behind this one, which was refused.
    postponed: Option<Channel>,
    /// The channels whose keys in Redis are not hashes.
    blocked: HashSet<Channel>,
    /// Whether Redis did not take the last changes.
    is_refused: bool,
    /// The channels that make events.
    told: HashSet<Channel>,
    /// Those of them in which the node has clients.
    occupied: HashSet<Channel>,
}

/// Told by being dropped.
type Waiter = oneshot::Sender<()>;

impl Local {
    pub(crate) fn new(held: IntGauge) -> Self {
        let (wants, returned) = (OnceLock::new(), OnceLock::new());
        Self { state: Mutex::default(), wants, returned, changed: Notify::new(), held }
    }

    /// See [`Outbox::members_of`](fanfare_core::Outbox::members_of).
    pub(crate) fn members_of(&self, wants: WantsEvents) {
        let _ = self.wants.set(wants);
    }

    /// See [`Presence::on_returned`](fanfare_core::Presence::on_returned).
    pub(super) fn on_returned(&self, returned: OnReturned) {
        let _ = self.returned.set(returned);
    }

    /// Redis had lacked the entry of this field. Tells that its client is back, where another node removed it. That is told
    /// under the lock, so ahead of its leaving.
    pub(super) fn entered_anew(&self, channel: &Channel, field: &Field) {
        if field.stored != Stored::Removed {
            return;
        }
        let (Some(returned), state) = (self.returned.get(), self.state.lock()) else { return };
        let entry = state.channels.get(channel).and_then(|entries| entries.get(&field.client));
        if let Some(entry) = entry.and_then(|entry| value::of_client(field.client, entry)) {
            returned(channel, entry);
        }
    }

    /// Whether the members of a channel make events.
    pub(super) fn wants(&self, channel: &Channel) -> bool {
        self.wants.get().is_some_and(|wants| wants(channel))
    }

    /// See [`Outbox::occupy`](fanfare_core::Outbox::occupy).
    pub(crate) fn occupy(&self, channel: &Channel, is_occupied: bool) {
        let mut state = self.state.lock();
        if is_occupied {
            state.occupied.insert(channel.clone());
            state.told.insert(channel.clone());
        } else if !state.occupied.remove(channel) {
            return;
        }
        state.changes.entry(channel.clone()).or_default();
        drop(state);
        self.wake();
    }

    /// Wakes the task that writes.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    pub(super) fn enter(&self, channel: &Channel, entry: &PresenceEntry) {
        let is_told = self.wants(channel);
        let mut state = self.state.lock();
        if is_told {
            state.told.insert(channel.clone());
        }
        let entries = state.channels.entry(channel.clone()).or_default();
        let stored = if entries.insert(entry.client, value::encode(entry)).is_none() {
            self.held.inc();
            Stored::Not
        } else {
            Stored::Maybe
        };
        state.note(channel, entry.client, stored);
        drop(state);
        self.changed.notify_one();
    }

    /// Ends once the changes of a channel were tried to be written; `None` where all were written, or Redis refuses them.
    pub(super) fn entered(&self, channel: &Channel) -> Option<impl Future<Output = ()> + Send + use<>> {
        let State { changes, waiting, writing, is_refused, .. } = &mut *self.state.lock();
        if *is_refused {
            return None;
        }
        let waiters = if changes.contains_key(channel) {
            waiting.entry(channel.clone()).or_default()
        } else {
            writing.get_mut(channel)?
        };
        let (waiter, told) = oneshot::channel();
        waiters.push(waiter);
        Some(async move { drop(told.await) })
    }

    /// The changes that were taken are written, or were not.
    pub(super) fn tried(&self, is_written: bool) {
        let mut state = self.state.lock();
        state.writing = HashMap::new();
        state.is_refused = !is_written;
        drop(state);
        if !is_written {
            self.give_up();
        }
    }

    /// Redis is away, or refuses changes: nobody waits for it.
    pub(super) fn give_up(&self) {
        self.state.lock().waiting = HashMap::new();
    }

    /// Removes a client from a channel. The entry that it had there.
    pub(super) fn leave(&self, channel: &Channel, client: ClientId) -> Option<Bytes> {
        let mut state = self.state.lock();
        let entries = state.channels.get_mut(channel)?;
        let left = entries.remove(&client)?;
        self.held.dec();
        if entries.is_empty() {
            state.channels.remove(channel);
        }
        state.left(channel, client);
        drop(state);
        self.changed.notify_one();
        Some(left)
    }

    /// Takes changes of at most `most` clients.
    pub(super) fn take(&self, most: usize) -> Vec<Change> {
        let mut state = self.state.lock();
        let (mut taken, mut clients) = (Vec::new(), 0);
        while clients < most
            && let Some((channel, mut pending)) = state.pop()
        {
            let changed = pending.take(most - clients);
            clients += changed.len().max(1);
            let mut is_occupied = state.is_occupied(&channel);
            let entry = |client| state.channels.get(&channel)?.get(&client).cloned();
            let field = |(client, stored)| Field { client, entry: entry(client), stored };
            let fields = changed.into_iter().map(field).collect();
            if pending.is_empty() {
                let waiters = state.waiting.remove(&channel).unwrap_or_default();
                state.writing.insert(channel.clone(), waiters);
                if is_occupied == Some(false) {
                    state.told.remove(&channel);
                }
            } else {
                // It is vacated after its last member left.
                is_occupied = is_occupied.map(|_| true);
                state.changes.insert(channel.clone(), pending);
            }
            taken.push(Change { channel, fields, is_occupied });
        }
        taken
    }

    /// Puts back changes that Redis refuses. Those of the channels behind them have their turn first.
    pub(super) fn postpone(&self, changes: Vec<Change>) {
        let last = changes.last().map(|change| change.channel.clone());
        self.put_back(changes);
        self.state.lock().postponed = last;
    }

    /// Puts back changes that Redis did not take.
    pub(super) fn put_back(&self, changes: Vec<Change>) {
        let mut state = self.state.lock();
        for Change { channel, fields, is_occupied } in changes {
            if is_occupied.is_some() {
                state.told.insert(channel.clone());
                state.changes.entry(channel.clone()).or_default();
            }
            fields.into_iter().for_each(|field| state.put_back(&channel, &field));
        }
    }

    /// The key of a channel is not a hash. Whether that is news.
    pub(super) fn block(&self, channel: &Channel) -> bool {
        let State { changes, blocked, .. } = &mut *self.state.lock();
        if let Some(clients) = changes.get_mut(channel) {
            *clients = Pending::default();
        }
        blocked.insert(channel.clone())
    }

    /// The key of a channel may be a hash again: all its entries are to be written.
    pub(super) fn unblock(&self, channel: &Channel) {
        self.state.lock().blocked.remove(channel);
        self.write_again(channel, Stored::Maybe);
    }

    /// The channels whose keys are not hashes.
    pub(super) fn blocked(&self) -> Vec<Channel> {
        self.state.lock().blocked.iter().cloned().collect()
    }

    /// The channels with an entry of this node in Redis, and whether each makes events.
    pub(super) fn channels(&self) -> Vec<(Channel, bool)> {
        let State { channels, told, blocked, .. } = &*self.state.lock();
        let there = channels.keys().filter(|channel| !blocked.contains(*channel));
        there.map(|channel| (channel.clone(), told.contains(channel))).collect()
    }

    /// Whether this node has anything in Redis, or is to write something.
    pub(super) fn has_any(&self) -> bool {
        let state = self.state.lock();
        !state.channels.is_empty() || !state.told.is_empty()
    }

    /// All entries of a channel are to be written again. Redis has as much of each as `stored` says.
    pub(super) fn write_again(&self, channel: &Channel, stored: Stored) {
        let State { channels, changes, .. } = &mut *self.state.lock();
        if let Some(entries) = channels.get(channel) {
            let pending = changes.entry(channel.clone()).or_default();
            entries.keys().for_each(|client| pending.add_again(*client, stored));
        }
        self.changed.notify_one();
    }

    /// All entries are to be written again. Redis has as much of each as `stored` says.
    pub(super) fn write_all_again(&self, stored: Stored) {
        self.channels().iter().for_each(|(channel, _)| self.write_again(channel, stored));
        self.write_told_again();
    }

    /// The channels that make events are to be written again, without their entries.
    fn write_told_again(&self) {
        let State { told, changes, .. } = &mut *self.state.lock();
        told.iter().for_each(|channel| _ = changes.entry(channel.clone()).or_default());
        self.wake();
    }
}

impl State {
    fn pop(&mut self) -> Option<(Channel, Pending)> {
        if let Some(last) = self.postponed.take() {
            let mut behind = self.changes.range::<Channel, _>((Bound::Excluded(&last), Bound::Unbounded));
            if let Some(next) = behind.next().map(|(channel, _)| channel.clone()) {
                self.postponed = Some(last);
                return self.changes.remove_entry(&next);
            }
        }
        self.changes.pop_first()
    }

    /// A client changed. `stored` is what Redis has of it, where the client does not wait already.
    fn note(&mut self, channel: &Channel, client: ClientId, stored: Stored) {
        let pending = self.changes.entry(channel.clone()).or_default();
        if !self.blocked.contains(channel) {
            pending.add(client, stored);
        }
    }

    /// A client left that had an entry here.
    fn left(&mut self, channel: &Channel, client: ClientId) {
        let known = self.changes.get(channel).and_then(|pending| pending.get(client));
        if known == Some(Stored::Not) {
            self.forget(channel, client);
        } else {
            // Redis has its entry, or is getting it.
            self.note(channel, client, Stored::Maybe);
        }
    }

    /// Nothing is to be written of a client.
    fn forget(&mut self, channel: &Channel, client: ClientId) {
        let Some(pending) = self.changes.get_mut(channel) else { return };
        pending.remove(client);
        let is_needed = self.told.contains(channel) || self.waiting.contains_key(channel);
        if pending.is_empty() && !is_needed {
            self.changes.remove(channel);
        }
    }

    /// A field was not written. What is known of it counts: what it says of a change meanwhile was a guess.
    fn put_back(&mut self, channel: &Channel, &Field { client, stored, .. }: &Field) {
        let is_here = self.channels.get(channel).is_some_and(|entries| entries.contains_key(&client));
        if !is_here && stored == Stored::Not {
            self.forget(channel, client);
        } else if !self.blocked.contains(channel) {
            self.changes.entry(channel.clone()).or_default().set(client, stored);
        }
    }

    /// Whether the node occupies a channel; `None`: the channel makes no events.
    fn is_occupied(&self, channel: &Channel) -> Option<bool> {
        let is_told = self.told.contains(channel);
        is_told.then(|| self.occupied.contains(channel) || self.channels.contains_key(channel))
    }
}

#[cfg(test)]
mod tests;
