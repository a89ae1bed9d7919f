//! The clients in the channels of a node that is alone, and which of its channels are occupied.
//!
//! Invariant: an event is made under the lock under which its change is. A channel makes events as in Redis: from the
//! first member that makes some or the first call that says that the node occupies it, until it is vacated.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use fanfare_core::{
    Channel, ClientId, Presence,
    outbox::{Event, Member, WantsEvents},
    presence::{Entered, PresenceEntry, PresenceFuture, PresenceStats},
};
use parking_lot::Mutex;
use prometheus::IntGauge;

use super::events::Events;
use crate::presence::stats;

/// See the head of this file.
pub(super) struct MemoryPresence {
    state: Mutex<State>,
    wants: OnceLock<WantsEvents>,
    events: Arc<Events>,
    entries: IntGauge,
}

#[derive(Default)]
struct State {
    channels: HashMap<Channel, BTreeMap<ClientId, PresenceEntry>>,
    /// The channels that make events.
    told: HashSet<Channel>,
    /// Those of them in which the node has clients.
    occupied: HashSet<Channel>,
}

impl MemoryPresence {
    pub(super) fn new(entries: IntGauge, events: Arc<Events>) -> Self {
        Self { state: Mutex::default(), wants: OnceLock::new(), events, entries }
    }

    pub(super) fn members_of(&self, wants: WantsEvents) {
        let _ = self.wants.set(wants);
    }

    pub(super) fn occupy(&self, channel: &Channel, is_occupied: bool) {
        let mut state = self.state.lock();
        if is_occupied {
            state.occupied.insert(channel.clone());
            self.tell_occupied(&mut state, channel);
        } else {
            state.occupied.remove(channel);
            self.tell_vacated(&mut state, channel);
        }
    }

    fn tell_occupied(&self, state: &mut State, channel: &Channel) {
        if state.told.insert(channel.clone()) {
            self.events.push(Event::Occupied(channel.clone()));
        }
    }

    /// Where nobody is there any more.
    fn tell_vacated(&self, state: &mut State, channel: &Channel) {
        let is_occupied = state.occupied.contains(channel) || state.channels.contains_key(channel);
        if !is_occupied && state.told.remove(channel) {
            self.events.push(Event::Vacated(channel.clone()));
        }
    }
}

fn member(entry: &PresenceEntry) -> Member {
    Member { client: entry.client, user: entry.user.clone().unwrap_or_default() }
}

impl Presence for MemoryPresence {
    fn enter(&self, channel: &Channel, entry: PresenceEntry) {
        let is_told = self.wants.get().is_some_and(|wants| wants(channel));
        let mut state = self.state.lock();
        if is_told {
            self.tell_occupied(&mut state, channel);
        }
        let member = member(&entry);
        if state.channels.entry(channel.clone()).or_default().insert(entry.client, entry).is_none() {
            self.entries.inc();
            if state.told.contains(channel) {
                self.events.push(Event::Joined(channel.clone(), member));
            }
        }
    }

    fn entered(&self, _: &Channel) -> Option<Entered> {
        None
    }

    fn leave(&self, channel: &Channel, client: ClientId) -> Option<PresenceEntry> {
        let mut state = self.state.lock();
        let entries = state.channels.get_mut(channel)?;
        let left = entries.remove(&client)?;
        self.entries.dec();
        if entries.is_empty() {
            state.channels.remove(channel);
        }
        if state.told.contains(channel) {
            self.events.push(Event::Left(channel.clone(), member(&left)));
            self.tell_vacated(&mut state, channel);
        }
        Some(left)
    }

    fn members(&self, channel: &Channel) -> PresenceFuture<Vec<PresenceEntry>> {
        let state = self.state.lock();
        let members = state.channels.get(channel).map(|entries| entries.values().cloned().collect());
        Box::pin(std::future::ready(Ok(members.unwrap_or_default())))
    }

    fn stats(&self, channel: &Channel) -> PresenceFuture<PresenceStats> {
        let state = self.state.lock();
        let stats = state.channels.get(channel).map(|entries| stats(entries.values())).unwrap_or_default();
        Box::pin(std::future::ready(Ok(stats)))
    }
}
