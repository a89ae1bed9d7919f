//! The outbox of a node that is alone: the events that wait end with the node.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use fanfare_core::{
    Channel, Outbox,
    outbox::{
        ConnectionEnd, Event, EventId, MAX_EVENTS, OutboxError, OutboxEvent, OutboxFuture, Waiting,
        WantsEvents,
    },
};
use parking_lot::Mutex;

use super::presence::MemoryPresence;
use crate::metrics::Metrics;

/// The events that wait.
///
/// Invariant: the ids of a later run are greater.
pub(super) struct Events {
    waiting: Mutex<State>,
    /// The beginning of all ids.
    began: u64,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct State {
    events: VecDeque<OutboxEvent>,
    /// The number of all events so far.
    count: u64,
}

impl Events {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { waiting: Mutex::default(), began: now_ms(), metrics }
    }

    pub(super) fn push(&self, event: Event) {
        let mut state = self.waiting.lock();
        let has_dropped = state.events.len() >= MAX_EVENTS && state.events.pop_front().is_some();
        state.count += 1;
        let id = EventId(format!("{}-{}", self.began, state.count));
        state.events.push_back(OutboxEvent { id, time_ms: now_ms(), event });
        drop(state);
        self.metrics.events_dropped(has_dropped.into());
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// See the head of this file.
pub(super) struct MemoryOutbox {
    pub(super) events: Arc<Events>,
    /// Members make their events there.
    pub(super) presence: Arc<MemoryPresence>,
}

impl MemoryOutbox {
    fn remove_up_to(&self, EventId(id): &EventId) -> Result<u64, OutboxError> {
        let number = |id: &str| id.split_once('-')?.1.parse::<u64>().ok();
        let last = number(id).ok_or_else(|| OutboxError("not an event".to_owned()))?;
        let mut state = self.events.waiting.lock();
        while state.events.pop_front_if(|event| number(&event.id.0) <= Some(last)).is_some() {}
        Ok(state.events.len() as u64)
    }
}

impl Outbox for MemoryOutbox {
    fn members_of(&self, wants: WantsEvents) {
        self.presence.members_of(wants);
    }

    fn occupy(&self, channel: &Channel, is_occupied: bool) {
        self.presence.occupy(channel, is_occupied);
    }

    fn disconnected(&self, end: ConnectionEnd) {
        self.events.push(Event::Disconnected(end));
    }

    fn next(&self, most: usize, _: Duration) -> OutboxFuture<Option<Waiting>> {
        let state = self.events.waiting.lock();
        let events: Vec<_> = state.events.iter().take(most).cloned().collect();
        let last = events.last().map(|event| event.id.clone());
        let waiting = Waiting { events, last, count: state.events.len() as u64 };
        Box::pin(std::future::ready(Ok(Some(waiting))))
    }

    fn remove(&self, up_to: &EventId) -> OutboxFuture<u64> {
        Box::pin(std::future::ready(self.remove_up_to(up_to)))
    }

    fn release(&self) -> OutboxFuture<()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn bury(&self) -> OutboxFuture<()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
