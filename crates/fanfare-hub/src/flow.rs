//! How many publications of one session may be unanswered.
//!
//! Invariant: past the bound the session's reader waits, so one flooder fills its own share of the broker's
//! queue and no more. The bound is checked before a read, so what one read brought may pass it once.
//!
//! While a flow is closing the reader waits until the session has ended, so that what was read is answered before the
//! goodbye. Behind that a client that was sent away may have sent more before it heard of it: that begins too, until
//! the flow is over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use fanfare_core::{Limits, broker::Lane};
use parking_lot::Mutex;

use crate::metrics::{HubMetrics, Limit};

/// How many publications of a session, and bytes of them, may be unanswered. Read before each read of a socket.
#[derive(Debug)]
pub(crate) struct Room {
    publishes: AtomicUsize,
    bytes: AtomicUsize,
}

impl Room {
    pub(crate) fn new(limits: &Limits) -> Self {
        let [publishes, bytes] = [limits.unanswered_publishes, limits.unanswered_bytes].map(AtomicUsize::new);
        Self { publishes, bytes }
    }

    /// From now on as much as these limits say. Who waits for room looks again at the next answer.
    pub(crate) fn set(&self, limits: &Limits) {
        self.publishes.store(limits.unanswered_publishes, Ordering::Relaxed);
        self.bytes.store(limits.unanswered_bytes, Ordering::Relaxed);
    }
}

/// The unanswered publications of one session. Made at its first publish: an idle session has none.
#[derive(Debug)]
pub struct Flow {
    /// Shared by all publications of the session, see [`Lane`].
    pub(crate) lane: Arc<Lane>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Unanswered.
    publishes: usize,
    bytes: usize,
    /// Answered so far.
    answered: u64,
    /// Nothing more is read until the session has ended.
    is_closing: bool,
    /// Nothing more begins.
    is_over: bool,
    reader: Option<Waker>,
    /// Those who wait for all answers.
    closers: Vec<Waker>,
}

impl State {
    fn has_room(&self, room: &Room) -> bool {
        !self.is_closing
            && self.publishes < room.publishes.load(Ordering::Relaxed)
            && self.bytes < room.bytes.load(Ordering::Relaxed)
    }
}

impl Flow {
    pub(crate) fn new() -> Self {
        Self { lane: Arc::default(), state: Mutex::default() }
    }

    /// One more, of so many bytes: its place, counted from 0. None begins where it is over.
    #[must_use]
    pub(crate) fn begin(&self, bytes: usize) -> Option<u64> {
        let mut state = self.state.lock();
        if state.is_over {
            return None;
        }
        let place = state.answered + state.publishes as u64;
        state.publishes += 1;
        state.bytes += bytes;
        Some(place)
    }

    /// Whether one before this place is unanswered. Answers come in order, but for refusals of what waited too long
    /// behind what was written.
    pub(crate) fn is_in_doubt_before(&self, place: u64) -> bool {
        self.state.lock().answered < place
    }

    /// One of them was answered.
    pub(crate) fn end(&self, bytes: usize, room: &Room) {
        let mut state = self.state.lock();
        state.publishes -= 1;
        state.answered += 1;
        state.bytes -= bytes;
        let reader = if state.has_room(room) { state.reader.take() } else { None };
        let closers = if state.publishes == 0 { std::mem::take(&mut state.closers) } else { Vec::new() };
        drop(state);
        reader.into_iter().chain(closers).for_each(Waker::wake);
    }

    /// Nothing more is read until [`Flow::ended`]. Whether all is answered.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.state.lock();
        state.is_closing = true;
        state.publishes == 0
    }

    /// Whether nothing more is read until the session has ended.
    pub(crate) fn is_closing(&self) -> bool {
        self.state.lock().is_closing
    }

    /// The session has ended, and its reader goes on: what it reads still begins, as far as there is room.
    pub(crate) fn ended(&self) {
        self.change(|state| state.is_closing = false);
    }

    /// Nothing more begins: the reader discards what still comes, and waits for nothing.
    pub(crate) fn over(&self) {
        self.change(|state| state.is_over = true);
    }

    /// After which the reader looks whether it still has to wait.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let reader = state.reader.clone();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Whether nothing more begins.
    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().is_over
    }

    /// Whether the session may publish one more, or may not any more at all: then nothing has to be kept for it.
    pub(crate) fn has_room(&self, room: &Room) -> bool {
        let state = self.state.lock();
        state.is_over || state.has_room(room)
    }

    /// Ready while the session may publish more, and once it may not any more at all.
    pub(crate) fn poll_room(&self, room: &Room, metrics: &HubMetrics, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.is_over || state.has_room(room) {
            state.reader = None;
            return Poll::Ready(());
        }
        if state.reader.replace(cx.waker().clone()).is_none() && !state.is_closing {
            metrics.limit_hit(Limit::Unanswered);
        }
        Poll::Pending
    }

    /// Ready once none is unanswered.
    pub(crate) fn poll_answered(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.publishes == 0 {
            return Poll::Ready(());
        }
        if !state.closers.iter().any(|closer| closer.will_wake(cx.waker())) {
            state.closers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_waits_past_either_bound_and_is_woken_below_both() {
        let room = Room::new(&Limits { unanswered_publishes: 2, unanswered_bytes: 10, ..Limits::default() });
        let cx = Context::from_waker(Waker::noop());
        let metrics = HubMetrics::register(&prometheus::Registry::new()).unwrap();
        let waited = || metrics.limits_hit.with_label_values(&["unanswered_publishes"]).get();
        let flow = Flow::new();
        assert_eq!(flow.begin(4), Some(0));
        assert!(flow.poll_room(&room, &metrics, &cx).is_ready());
        assert_eq!(flow.begin(4), Some(1));
        assert!(flow.poll_room(&room, &metrics, &cx).is_pending(), "two publishes");
        assert!(flow.poll_room(&room, &metrics, &cx).is_pending(), "polled once more");
        assert_eq!(waited(), 1);
        flow.end(4, &room);
        assert!(flow.poll_room(&room, &metrics, &cx).is_ready());
        assert!(flow.state.lock().reader.is_none(), "its waker was used");
        flow.end(4, &room);
        assert_eq!(flow.begin(10), Some(2));
        assert!(flow.poll_room(&room, &metrics, &cx).is_pending(), "ten bytes");
        assert_eq!(waited(), 2);
    }

    #[test]
    fn while_it_closes_the_reader_waits_for_the_end_and_what_it_had_read_begins() {
        let (room, cx) = (Room::new(&Limits::default()), Context::from_waker(Waker::noop()));
        let metrics = HubMetrics::register(&prometheus::Registry::new()).unwrap();
        let flow = Flow::new();
        assert_eq!(flow.begin(1), Some(0));
        assert!(!flow.close(), "one is unanswered");
        assert_eq!(flow.begin(1), Some(1));
        flow.end(1, &room);
        assert!(flow.poll_answered(&cx).is_pending() && flow.poll_room(&room, &metrics, &cx).is_pending());
        flow.end(1, &room);
        assert!(flow.poll_answered(&cx).is_ready() && flow.poll_room(&room, &metrics, &cx).is_pending());
        flow.ended();
        assert!(flow.poll_room(&room, &metrics, &cx).is_ready());
    }

    #[test]
    fn once_it_is_over_nothing_begins_and_the_reader_waits_for_nothing() {
        let room = Room::new(&Limits { unanswered_publishes: 1, ..Limits::default() });
        let cx = Context::from_waker(Waker::noop());
        let metrics = HubMetrics::register(&prometheus::Registry::new()).unwrap();
        let flow = Flow::new();
        assert_eq!(flow.begin(1), Some(0));
        flow.close();
        flow.ended();
        assert!(flow.poll_room(&room, &metrics, &cx).is_pending(), "it is bounded behind the goodbye too");
        flow.over();
        assert!(flow.poll_room(&room, &metrics, &cx).is_ready(), "to discard what still comes");
        assert_eq!(flow.begin(1), None);
    }
}
