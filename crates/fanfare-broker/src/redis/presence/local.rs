//! The entries that this node holds, and the changes that Redis did not take yet. No I/O.
//!
//! Invariants
//! - A change stays until Redis took it, and the newest one of a client counts.
//! - Whoever waits for a channel's changes is told when the batch with all of them was written, or was not. While Redis
//!   refuses changes nobody waits for them.
//! - A channel makes events from the first member on that makes some, or from the first call that says that the node
//!   occupies it. It does so until it was written that the node does not occupy it any more. The node occupies it while it
//!   has clients there, or entries.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::OnceLock,
};

use bytes::Bytes;
use fanfare_core::{Channel, ClientId, outbox::WantsEvents, presence::PresenceEntry};
use parking_lot::Mutex;
use prometheus::IntGauge;
use tokio::sync::{Notify, oneshot};

use super::value;

/// See the head of this file.
pub(crate) struct Local {
    state: Mutex<State>,
    /// Whether the members of a channel make events.
    wants: OnceLock<WantsEvents>,
    /// Wakes the task that writes.
    pub(super) changed: Notify,
    held: IntGauge,
}

#[derive(Debug, Default)]
struct State {
    channels: HashMap<Channel, BTreeMap<ClientId, Bytes>>,
    /// The clients whose entries changed.
    changes: BTreeMap<Channel, Vec<ClientId>>,
    /// Those that wait for these changes.
    waiting: HashMap<Channel, Vec<Waiter>>,
    /// The channels whose changes are being written, and those that wait for it.
    writing: HashMap<Channel, Vec<Waiter>>,
    /// Whether Redis did not take the last changes.
    is_refused: bool,
    /// The channels that make events.
    told: HashSet<Channel>,
    /// Those of them in which the node has clients.
    occupied: HashSet<Channel>,
}

/// Told by being dropped.
type Waiter = oneshot::Sender<()>;

/// The fields of one channel to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) channel: Channel,
    /// The clients with their entries; `None` for one that left.
    pub(super) fields: Vec<(ClientId, Option<Bytes>)>,
    /// Whether the node occupies the channel; `None`: the channel makes no events.
    pub(super) is_occupied: Option<bool>,
}

impl Local {
    pub(crate) fn new(held: IntGauge) -> Self {
        Self { state: Mutex::default(), wants: OnceLock::new(), changed: Notify::new(), held }
    }

    /// See [`Outbox::members_of`](fanfare_core::Outbox::members_of).
    pub(crate) fn members_of(&self, wants: WantsEvents) {
        let _ = self.wants.set(wants);
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
        if entries.insert(entry.client, value::encode(entry)).is_none() {
            self.held.inc();
        }
        state.note(channel, entry.client);
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
        state.note(channel, client);
        drop(state);
        self.changed.notify_one();
        Some(left)
    }

    /// Takes changes of at most `most` clients.
    pub(super) fn take(&self, most: usize) -> Vec<Change> {
        let mut state = self.state.lock();
        let (mut taken, mut clients) = (Vec::new(), 0);
        while clients < most
            && let Some((channel, mut changed)) = state.changes.pop_first()
        {
            let rest = changed.split_off(changed.len().min(most - clients));
            clients += changed.len().max(1);
            let mut is_occupied = state.is_occupied(&channel);
            let entries = state.channels.get(&channel);
            let field = |client| (client, entries.and_then(|entries| entries.get(&client)).cloned());
            let fields = changed.into_iter().map(field).collect();
            if rest.is_empty() {
                let waiters = state.waiting.remove(&channel).unwrap_or_default();
                state.writing.insert(channel.clone(), waiters);
                if is_occupied == Some(false) {
                    state.told.remove(&channel);
                }
            } else {
                // It is vacated after its last member left.
                is_occupied = is_occupied.map(|_| true);
                state.changes.insert(channel.clone(), rest);
            }
            taken.push(Change { channel, fields, is_occupied });
        }
        taken
    }

    /// Puts back changes that Redis did not take.
    pub(super) fn put_back(&self, changes: Vec<Change>) {
        let mut state = self.state.lock();
        for Change { channel, fields, is_occupied } in changes {
            if is_occupied.is_some() {
                state.told.insert(channel.clone());
                state.changes.entry(channel.clone()).or_default();
            }
            fields.into_iter().for_each(|(client, _)| state.note(&channel, client));
        }
    }

    /// The channels with an entry of this node, and whether each makes events.
    pub(super) fn channels(&self) -> Vec<(Channel, bool)> {
        let state = self.state.lock();
        state.channels.keys().map(|channel| (channel.clone(), state.told.contains(channel))).collect()
    }

    /// Whether this node has anything in Redis, or is to write something.
    pub(super) fn has_any(&self) -> bool {
        let state = self.state.lock();
        !state.channels.is_empty() || !state.told.is_empty()
    }

    /// All entries of a channel are to be written again.
    pub(super) fn write_again(&self, channel: &Channel) {
        let State { channels, changes, .. } = &mut *self.state.lock();
        if let Some(entries) = channels.get(channel) {
            changes.entry(channel.clone()).or_default().extend(entries.keys());
        }
        self.changed.notify_one();
    }

    /// All entries are to be written again.
    pub(super) fn write_all_again(&self) {
        self.channels().iter().for_each(|(channel, _)| self.write_again(channel));
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
    fn note(&mut self, channel: &Channel, client: ClientId) {
        let clients = self.changes.entry(channel.clone()).or_default();
        if clients.last() != Some(&client) {
            clients.push(client);
        }
    }

    /// Whether the node occupies a channel; `None`: the channel makes no events.
    fn is_occupied(&self, channel: &Channel) -> Option<bool> {
        let is_told = self.told.contains(channel);
        is_told.then(|| self.occupied.contains(channel) || self.channels.contains_key(channel))
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use fanfare_core::{Incarnation, SessionId, presence::Entered};

    use super::*;

    fn client(session: u64) -> ClientId {
        ClientId { node: Incarnation(1), session: SessionId(session) }
    }

    fn entry(session: u64) -> PresenceEntry {
        PresenceEntry { client: client(session), user: None, client_info: None, channel_info: None }
    }

    #[test]
    fn a_change_stays_until_it_was_taken() {
        let local = Local::new(IntGauge::new("held", "held").unwrap());
        let channel = Channel::new("a").unwrap();
        local.enter(&channel, &entry(1));
        let changes = local.take(10);
        assert_eq!(changes.len(), 1);
        assert!(local.take(10).is_empty());
        local.leave(&channel, client(1));
        local.put_back(changes);
        let again = local.take(10);
        let last = again.last().and_then(|change| change.fields.last()).unwrap();
        assert_eq!(*last, (client(1), None), "the newest state is written");
        assert!(local.channels().is_empty());
    }

    #[test]
    fn who_waits_is_told_of_its_own_batch() {
        let local = Local::new(IntGauge::new("held", "held").unwrap());
        let [a, b] = ["a", "b"].map(|name| Channel::new(name).unwrap());
        let mut cx = Context::from_waker(Waker::noop());
        let mut is_told = |told: &mut Entered| told.as_mut().poll(&mut cx).is_ready();
        assert!(local.entered(&a).is_none(), "nothing is to be written");
        local.enter(&b, &entry(1));
        local.enter(&a, &entry(1));
        let of = |channel| -> Entered { Box::pin(local.entered(channel).unwrap()) };
        let (mut first, mut other) = (of(&a), of(&b));
        local.take(1);
        let mut second = of(&a);
        assert!(!is_told(&mut first) && !is_told(&mut second));
        local.tried(true);
        assert!(is_told(&mut first) && is_told(&mut second) && !is_told(&mut other));
        assert!(local.entered(&a).is_none());
        local.give_up();
        assert!(is_told(&mut other));
    }

    #[test]
    fn nobody_waits_while_redis_refuses() {
        let local = Local::new(IntGauge::new("held", "held").unwrap());
        let [a, b] = ["a", "b"].map(|name| Channel::new(name).unwrap());
        let mut cx = Context::from_waker(Waker::noop());
        local.enter(&a, &entry(1));
        local.enter(&b, &entry(1));
        let refused = local.take(1);
        let waiting = [&a, &b].map(|channel| Box::pin(local.entered(channel).unwrap()));
        local.tried(false);
        for mut told in waiting {
            assert!(told.as_mut().poll(&mut cx).is_ready());
        }
        local.put_back(refused);
        assert!(local.entered(&a).is_none() && local.entered(&b).is_none());
        local.take(1);
        assert!(local.entered(&a).is_none(), "it is being tried again");
        local.tried(true);
        assert!(local.entered(&a).is_none() && local.entered(&b).is_some());
    }

    #[test]
    fn a_channel_with_members_is_occupied() {
        let local = Local::new(IntGauge::new("held", "held").unwrap());
        local.members_of(Box::new(|channel| channel.as_str() == "told"));
        let [told, quiet] = ["told", "quiet"].map(|name| Channel::new(name).unwrap());
        let occupied = |local: &Local| {
            let taken = local.take(10).into_iter();
            taken.map(|change| (change.channel, change.is_occupied)).collect::<Vec<_>>()
        };
        local.enter(&quiet, &entry(1));
        local.occupy(&quiet, false);
        assert_eq!(occupied(&local), [(quiet.clone(), None)]);
        local.occupy(&told, true);
        local.enter(&told, &entry(1));
        local.occupy(&told, false);
        assert_eq!(occupied(&local), [(told.clone(), Some(true))], "its member is still there");
        local.leave(&told, client(1));
        let vacated = local.take(10);
        assert_eq!(vacated.first().unwrap().is_occupied, Some(false));
        assert!(local.state.lock().told.is_empty());
        local.put_back(vacated);
        assert_eq!(occupied(&local), [(told.clone(), Some(false))], "a change stays until it is written");
        local.occupy(&told, true);
        local.take(10);
        local.write_all_again();
        assert_eq!(occupied(&local), [(quiet, None), (told, Some(true))]);
    }

    #[test]
    fn a_large_channel_is_written_in_parts() {
        let local = Local::new(IntGauge::new("held", "held").unwrap());
        local.members_of(Box::new(|_| true));
        let channel = Channel::new("a").unwrap();
        (0..25).for_each(|session| local.enter(&channel, &entry(session)));
        let waits = local.entered(&channel).unwrap();
        let taken = |local: &Local| {
            let changes = local.take(10);
            let [change] = &changes[..] else { panic!("{changes:?}") };
            (change.fields.len(), change.is_occupied)
        };
        assert_eq!([taken(&local), taken(&local)], [(10, Some(true)); 2]);
        local.tried(true);
        let (mut told, mut cx) = (Box::pin(waits), Context::from_waker(Waker::noop()));
        assert!(told.as_mut().poll(&mut cx).is_pending(), "five are not written");
        assert_eq!(taken(&local), (5, Some(true)));
        local.tried(true);
        assert!(told.as_mut().poll(&mut cx).is_ready());
        (0..25).for_each(|session| drop(local.leave(&channel, client(session))));
        let left = [taken(&local), taken(&local), taken(&local)];
        assert_eq!(left, [(10, Some(true)), (10, Some(true)), (5, Some(false))], "vacated at last");
        assert!(local.take(10).is_empty() && !local.has_any());
    }

    #[test]
    fn a_lost_channel_is_written_again() {
        let local = Local::new(IntGauge::new("held", "held").unwrap());
        let channel = Channel::new("a").unwrap();
        local.enter(&channel, &entry(1));
        local.enter(&channel, &entry(2));
        local.take(10);
        local.write_again(&channel);
        let fields: usize = local.take(10).iter().map(|change| change.fields.len()).sum();
        assert_eq!(fields, 2);
        assert_eq!(local.held.get(), 2);
    }
}
