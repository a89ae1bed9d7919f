//! The unanswered publishes of one session.
//!
//! Invariants
//! - Past the bound of the session, or of the node (`PublishBudget`), the session's reader takes no further message. So
//!   one flooder fills its own share of the broker's queue and no more.
//! - A failure is told once nothing is unanswered: later publishes may have been written already, and the broker may
//!   take them. The client is told "refused" where no publish after the first refused one was taken, and the result of
//!   each is known; else "unknown".
//!
//! While a flow is closing the reader waits until the session has ended, so that read publishes are answered before the
//! goodbye. Afterwards a client that was sent away may have sent more before it saw the goodbye: those publishes begin
//! too, until the flow is over.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use fanfare_core::{Disconnect, Limit, broker::PublishOrder};
use parking_lot::Mutex;

use crate::{
    metrics::HubMetrics,
    session::publish_budget::{PublishBudget, QueuedReader},
};

/// The unanswered publishes of a session. Made at the first publish: an idle session has none.
#[derive(Debug)]
pub struct Flow {
    /// Shared by all publishes of the session.
    pub(crate) order: Arc<PublishOrder>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number that are unanswered.
    publishes: usize,
    /// Their bytes.
    bytes: usize,
    /// The number that began until now.
    begun: u64,
    /// The highest place of a publish that the broker took.
    taken: Option<u64>,
    /// The failure that the session is to end with.
    failure: Option<Box<Failure>>,
    /// Nothing more is read until the session has ended.
    is_closing: bool,
    /// No publish begins any more.
    is_over: bool,
    /// The reader waits in the node's queue.
    is_queued: bool,
    reader: Option<Waker>,
    /// The tasks that wait for all answers.
    closers: Vec<Waker>,
}

#[derive(Debug)]
struct Failure {
    /// The place of the first publish that failed.
    place: u64,
    /// The reason that the session ends with, by the answers until now.
    disconnect: Disconnect,
    /// The number of publishes that failed.
    count: u64,
}

/// The result of one publish.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The broker took it.
    Taken,
    /// It failed, and the client was told.
    Told,
    /// It failed, and the session is to end with this reason.
    Ends(Disconnect),
}

/// The reason that a session ends with, and the number of its publishes that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) disconnect: Disconnect,
    pub(crate) failed: u64,
}

impl State {
    fn may_publish(&self, budget: &PublishBudget) -> bool {
        !self.is_closing && budget.allows(self.publishes, self.bytes)
    }

    /// Whether all publishes are answered, and every failure is told.
    fn is_settled(&self) -> bool {
        self.publishes == 0 && self.failure.is_none()
    }

    fn note(&mut self, place: u64, outcome: Outcome) {
        match (outcome, &mut self.failure) {
            (Outcome::Taken, _) => self.taken = self.taken.max(Some(place)),
            (Outcome::Told, _) => {}
            (Outcome::Ends(disconnect), Some(failure)) => {
                // A publish that waited too long behind written ones fails before them.
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

    /// The verdict, once all publishes are answered and one failed.
    fn verdict(&self) -> Option<Verdict> {
        let failure = self.failure.as_ref().filter(|_| self.publishes == 0)?;
        let is_prefix = self.taken < Some(failure.place);
        let disconnect = if is_prefix { failure.disconnect.clone() } else { Disconnect::PublishUnknown };
        Some(Verdict { disconnect, failed: failure.count })
    }
}

impl Flow {
    /// `is_told`: the client is told the result of each publish.
    pub(crate) fn new(is_told: bool) -> Self {
        let order = if is_told { PublishOrder::loose() } else { PublishOrder::default() };
        Self { order: Arc::new(order), state: Mutex::default() }
    }

    /// A publish of `bytes` begins. Its place, counted from 0; `None` where the flow is over.
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

    /// The publish at `place` was answered. Where none is unanswered and one failed, the session is to end with the
    /// verdict; then [`Flow::said`].
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
        // A reader whose session has nothing unanswered looks whether it has to queue.
        let is_worth_waking = state.publishes == 0 || budget.is_worth_waking(state.publishes, state.bytes);
        let looks = is_worth_waking && !state.is_closing;
        let reader = if looks { state.reader.take() } else { None };
        let closers = if state.is_settled() { std::mem::take(&mut state.closers) } else { Vec::new() };
        drop(state);
        budget.end(bytes);
        reader.into_iter().for_each(Waker::wake);
        closers.into_iter().for_each(Waker::wake);
        verdict
    }

    /// The session has ended, by the verdict or before: the failure is told.
    pub(crate) fn said(&self) {
        let mut state = self.state.lock();
        state.failure = None;
        let closers = if state.is_settled() { std::mem::take(&mut state.closers) } else { Vec::new() };
        drop(state);
        closers.into_iter().for_each(Waker::wake);
    }

    /// Stops reading until [`Flow::ended`]. Whether all publishes are answered.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.state.lock();
        state.is_closing = true;
        state.is_settled()
    }

    /// Whether nothing more is read until the session has ended.
    pub(crate) fn is_closing(&self) -> bool {
        self.state.lock().is_closing
    }

    /// The session has ended, and its reader goes on: the publishes that it reads still begin, within the bounds.
    pub(crate) fn ended(&self) {
        self.change(|state| state.is_closing = false);
    }

    /// No publish begins any more: the reader discards later messages, and waits for nothing.
    pub(crate) fn over(&self) {
        self.change(|state| state.is_over = true);
    }

    /// Changes the state, after which the reader looks whether it still has to wait.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let reader = state.reader.clone();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Whether no publish begins any more.
    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().is_over
    }

    /// Whether the session may publish one more. Also true once the flow is over: then nothing has to be kept.
    pub(crate) fn may_publish(&self, budget: &PublishBudget) -> bool {
        let state = self.state.lock();
        state.is_over || state.may_publish(budget)
    }

    /// Ready while the session may publish more, and once the flow is over.
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
            metrics.limit_hit(Limit::UnansweredPublishes);
        }
        if state.publishes == 0 && !state.is_closing && !std::mem::replace(&mut state.is_queued, true) {
            drop(state);
            budget.enqueue(self.clone());
        }
        Poll::Pending
    }

    /// Ready once no publish is unanswered, and every failure is told.
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

impl QueuedReader for Flow {
    fn left_queue(&self) {
        let mut state = self.state.lock();
        state.is_queued = false;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests;
