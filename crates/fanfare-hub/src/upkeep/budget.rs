//! The budget of bytes that wait for the sockets of this node.
//!
//! Invariants
//! - Bytes are charged as long as they wait: a `Charge` gives its bytes back, at the latest when dropped.
//! - The charge is an upper bound. A publication that waits for several sessions is charged to each, though they share
//!   its bytes; and each item is charged its place in the queue too.
//! - Bytes that a socket took at once are never charged.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fanfare_core::Limits;
use tokio::sync::Notify;

use crate::metrics::HubMetrics;

/// The bounds of the bytes that may wait for one session and for all.
pub struct Budget {
    per_session: AtomicUsize,
    total: AtomicUsize,
    pub(crate) metrics: Arc<HubMetrics>,
    pressed: Notify,
}

impl Budget {
    /// A budget of [`Limits::outbound_bytes`] and [`Limits::outbound_total_bytes`].
    #[must_use]
    pub fn new(limits: &Limits, metrics: Arc<HubMetrics>) -> Arc<Self> {
        let [per_session, total] = [limits.outbound_bytes, limits.outbound_total_bytes].map(AtomicUsize::new);
        Arc::new(Self { per_session, total, metrics, pressed: Notify::new() })
    }

    /// Changes the bounds. Bytes that wait already are judged when more come, or at the next second.
    pub(crate) fn set(&self, limits: &Limits) {
        self.per_session.store(limits.outbound_bytes, Ordering::Relaxed);
        self.total.store(limits.outbound_total_bytes, Ordering::Relaxed);
        self.pressed.notify_one();
    }

    /// The bytes that may wait for one session.
    #[must_use]
    pub fn per_session(&self) -> usize {
        self.per_session.load(Ordering::Relaxed)
    }

    /// The bytes that may wait for one session for longer than a second.
    #[must_use]
    pub fn half(&self) -> usize {
        self.per_session() / 2
    }

    fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// The bytes that wait now.
    #[must_use]
    pub fn used(&self) -> usize {
        usize::try_from(self.metrics.outbound_queued.get()).unwrap_or(0)
    }

    /// Ends when more bytes wait than may.
    pub(crate) async fn pressed(&self) {
        loop {
            self.pressed.notified().await;
            if self.used() > self.total() {
                return;
            }
        }
    }

    /// Whether the waiting bytes are an eighth below the bound, so that the next byte does not press again.
    pub(crate) fn is_relieved(&self) -> bool {
        let total = self.total();
        self.used() <= total - total / 8
    }
}

/// The part of the budget that one queue takes.
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self { budget: budget.clone(), bytes: 0 }
    }

    /// Sets the part to `bytes`.
    pub(crate) fn set(&mut self, bytes: usize) {
        let waiting = &self.budget.metrics.outbound_queued;
        waiting.add(signed(bytes) - signed(self.bytes));
        let has_grown = bytes > self.bytes;
        self.bytes = bytes;
        if has_grown && self.budget.used() > self.budget.total() {
            self.budget.pressed.notify_one();
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
