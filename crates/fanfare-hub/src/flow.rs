//! How many publications of one session may be unanswered.
//!
//! Invariant: past the bound the session's reader waits, so one flooder fills its own share of the broker's
//! queue and no more. The bound is checked before a read, so what one read brought may pass it once.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use fanfare_core::{Limits, broker::Lane};
use parking_lot::Mutex;

use crate::metrics::{HubMetrics, Limit};

/// The unanswered publications of one session. Made at its first publish: an idle session has none.
#[derive(Debug)]
pub struct Flow {
    /// Shared by all publications of the session, see [`Lane`].
    pub(crate) lane: Arc<Lane>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    publishes: usize,
    bytes: usize,
    reader: Option<Waker>,
}

impl State {
    fn has_room(&self, limits: &Limits) -> bool {
        self.publishes < limits.unanswered_publishes && self.bytes < limits.unanswered_bytes
    }
}

impl Flow {
    pub(crate) fn new() -> Self {
        Self { lane: Arc::default(), state: Mutex::default() }
    }

    /// One more, of so many bytes.
    pub(crate) fn begin(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.publishes += 1;
        state.bytes += bytes;
    }

    /// One of them was answered.
    pub(crate) fn end(&self, bytes: usize, limits: &Limits) {
        let mut state = self.state.lock();
        state.publishes -= 1;
        state.bytes -= bytes;
        let reader = if state.has_room(limits) { state.reader.take() } else { None };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Ready while the session may publish more.
    pub(crate) fn poll_room(&self, limits: &Limits, metrics: &HubMetrics, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.has_room(limits) {
            return Poll::Ready(());
        }
        if state.reader.replace(cx.waker().clone()).is_none() {
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
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_waits_past_either_bound_and_is_woken_below_both() {
        let limits = Limits { unanswered_publishes: 2, unanswered_bytes: 10, ..Limits::default() };
        let cx = Context::from_waker(Waker::noop());
        let metrics = HubMetrics::register(&prometheus::Registry::new()).unwrap();
        let waited = || metrics.limits_hit.with_label_values(&["unanswered_publishes"]).get();
        let flow = Flow::new();
        flow.begin(4);
        assert!(flow.poll_room(&limits, &metrics, &cx).is_ready());
        flow.begin(4);
        assert!(flow.poll_room(&limits, &metrics, &cx).is_pending(), "two publishes");
        assert!(flow.poll_room(&limits, &metrics, &cx).is_pending(), "polled once more");
        assert_eq!(waited(), 1);
        flow.end(4, &limits);
        assert!(flow.poll_room(&limits, &metrics, &cx).is_ready());
        assert!(flow.state.lock().reader.is_none(), "its waker was used");
        flow.end(4, &limits);
        flow.begin(10);
        assert!(flow.poll_room(&limits, &metrics, &cx).is_pending(), "ten bytes");
        assert_eq!(waited(), 2);
    }
}
