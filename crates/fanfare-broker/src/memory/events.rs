//! The events that wait in the outbox of a node that is alone.
//!
//! Invariant: the ids of a later run are greater.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use fanfare_core::outbox::{Event, EventId, MAX_EVENTS, OutboxEvent, Waiting};
use parking_lot::Mutex;

use crate::metrics::Metrics;

/// See the head of this file.
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

    /// The oldest, at most that many.
    pub(super) fn oldest(&self, most: usize) -> Waiting {
        let state = self.waiting.lock();
        let events: Vec<_> = state.events.iter().take(most).cloned().collect();
        let last = events.last().map(|event| event.id.clone());
        Waiting { events, last, count: state.events.len() as u64 }
    }

    /// Removes those up to this one. The number of those that wait still; `None` where it is not an id.
    pub(super) fn remove(&self, up_to: &EventId) -> Option<u64> {
        let last = number(up_to)?;
        let mut state = self.waiting.lock();
        while state.events.pop_front_if(|event| number(&event.id) <= Some(last)).is_some() {}
        Some(state.events.len() as u64)
    }
}

fn number(EventId(id): &EventId) -> Option<u64> {
    id.split_once('-')?.1.parse().ok()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
