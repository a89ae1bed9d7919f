//! The unanswered publications of one session.
//!
//! Invariants
//! - Past the session's bound, or the node's (`PublishBudget`), its reader takes no further message: one flooder fills its own
//!   share of the broker's queue and no more.
//! - What a failure is said to be is known once nothing is unanswered, and said then: the messages behind the failed one
//!   may have been written already, and the broker may take them. "Refused" is said where all that was sent behind the
//!   first refused one reached nobody, and nothing is unknown; else "unknown".
//!
//! While a flow is closing the reader waits until the session has ended, so that what was read is answered before the
//! goodbye. Behind that a client that was sent away may have sent more before it heard of it: that begins too, until
//! the flow is over.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use fanfare_core::{Disconnect, broker::PublishOrder};
use parking_lot::Mutex;

use crate::{
    metrics::{HubMetrics, Limit},
    session::publish_budget::PublishBudget,
};

/// See the head of this file. Made at its first publish: an idle session has none.
#[derive(Debug)]
pub struct Flow {
    /// Shared by all publications of the session, see [`PublishOrder`].
    pub(crate) order: Arc<PublishOrder>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Unanswered.
    publishes: usize,
    bytes: usize,
    /// How many began so far.
    begun: u64,
    /// The last place that was taken.
    taken: Option<u64>,
    /// What failed, where the session is to end by it.
    failure: Option<Box<Failure>>,
    /// Nothing more is read until the session has ended.
    is_closing: bool,
    /// Nothing more begins.
    is_over: bool,
    /// The reader stands in the node's line.
    is_in_line: bool,
    reader: Option<Waker>,
    /// Those who wait for all answers.
    closers: Vec<Waker>,
}

#[derive(Debug)]
struct Failure {
    /// The place of the first that failed.
    place: u64,
    /// What the session ends with, as far as is known.
    disconnect: Disconnect,
    /// How many failed.
    count: u64,
}

/// What an answer of the broker says of a publication.
#[derive(Debug)]
pub(crate) enum Outcome {
    Taken,
    /// It failed, and the client was told so.
    Told,
    /// It failed, and the session is to end with this.
    Ends(Disconnect),
}

/// What a flow ends its session with, and for how many publications that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) disconnect: Disconnect,
    pub(crate) failed: u64,
}

impl State {
    fn may_publish(&self, budget: &PublishBudget) -> bool {
        !self.is_closing && budget.allows(self.publishes, self.bytes)
    }

    /// Whether all is answered, and said.
    fn is_settled(&self) -> bool {
        self.publishes == 0 && self.failure.is_none()
    }

    fn note(&mut self, place: u64, outcome: Outcome) {
        match (outcome, &mut self.failure) {
            (Outcome::Taken, _) => self.taken = self.taken.max(Some(place)),
            (Outcome::Told, _) => {}
            (Outcome::Ends(disconnect), Some(failure)) => {
                // Where one waited too long behind what was written, the later one failed first.
                failure.place = failure.place.min(place);
                failure.count += 1;
                if disconnect == Disconnect::PublishUnknown {
                    failure.disconnect = disconnect;
                }
            }
            (Outcome::Ends(disconnect), failure @ None) => {
                *failure = Some(Box::new(Failure { place, disconnect, count: 1 }));
                self.is_closing = true;
            }
        }
    }

    /// What the failure comes to, once all is answered.
    fn verdict(&self) -> Option<Verdict> {
        let failure = self.failure.as_ref().filter(|_| self.publishes == 0)?;
        let is_prefix = self.taken < Some(failure.place);
        let disconnect = if is_prefix { failure.disconnect.clone() } else { Disconnect::PublishUnknown };
        Some(Verdict { disconnect, failed: failure.count })
    }
}

impl Flow {
    pub(crate) fn new() -> Self {
        Self { order: Arc::default(), state: Mutex::default() }
    }

    /// One more, of so many bytes: its place, counted from 0. None begins where it is over.
    #[must_use]
    pub(crate) fn begin(&self, bytes: usize, budget: &PublishBudget) -> Option<u64> {
        let mut state = self.state.lock();
        if state.is_over {
            return None;
        }
        let place = state.begun;
        state.begun += 1;
        state.publishes += 1;
        state.bytes += bytes;
        drop(state);
        budget.begin(bytes);
        Some(place)
    }

    /// One of them was answered. Where it was the last, and one failed, the session is to be ended so; then
    /// [`Flow::said`].
    pub(crate) fn end(
        &self,
        place: u64,
        bytes: usize,
        outcome: Outcome,
        budget: &PublishBudget,
    ) -> Option<Verdict> {
        let mut state = self.state.lock();
        state.publishes -= 1;
        state.bytes -= bytes;
        state.note(place, outcome);
        let verdict = state.verdict();
        // Where nothing of its own is unanswered, it looks whether it has to stand in line.
        let is_worth_waking = state.publishes == 0 || budget.is_worth_waking(state.publishes, state.bytes);
        let looks = is_worth_waking && !state.is_closing;
        let reader = if looks { state.reader.take() } else { None };
        let closers = if state.is_settled() { std::mem::take(&mut state.closers) } else { Vec::new() };
        drop(state);
        budget.end(bytes);
        reader.into_iter().chain(closers).for_each(Waker::wake);
        verdict
    }

    /// What a verdict said is done: the session has ended, by it or before.
    pub(crate) fn said(&self) {
        let mut state = self.state.lock();
        state.failure = None;
        let closers = if state.is_settled() { std::mem::take(&mut state.closers) } else { Vec::new() };
        drop(state);
        closers.into_iter().for_each(Waker::wake);
    }

    /// The reader stands in line no more.
    pub(crate) fn left_line(&self) {
        let mut state = self.state.lock();
        state.is_in_line = false;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Nothing more is read until [`Flow::ended`]. Whether all is answered.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.state.lock();
        state.is_closing = true;
        state.is_settled()
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
    pub(crate) fn may_publish(&self, budget: &PublishBudget) -> bool {
        let state = self.state.lock();
        state.is_over || state.may_publish(budget)
    }

    /// Ready while the session may publish more, and once it may not any more at all.
    pub(crate) fn poll_may_publish(
        self: &Arc<Self>,
        budget: &PublishBudget,
        metrics: &HubMetrics,
        cx: &Context<'_>,
    ) -> Poll<()> {
        let mut state = self.state.lock();
        if state.is_over || state.may_publish(budget) {
            state.reader = None;
            return Poll::Ready(());
        }
        if state.reader.replace(cx.waker().clone()).is_none() && !state.is_closing {
            metrics.limit_hit(Limit::Unanswered);
        }
        if state.publishes == 0 && !state.is_closing && !std::mem::replace(&mut state.is_in_line, true) {
            drop(state);
            budget.stand_in_line(self);
        }
        Poll::Pending
    }

    /// Ready once none is unanswered, and what failed is said.
    pub(crate) fn poll_answered(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.is_settled() {
            return Poll::Ready(());
        }
        if !state.closers.iter().any(|closer| closer.will_wake(cx.waker())) {
            state.closers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
