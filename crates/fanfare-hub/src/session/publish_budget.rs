//! How much the sessions of a node may have unanswered.
//!
//! Invariants
//! - A session: [`Limits::unanswered_publishes`] and [`Limits::unanswered_bytes`].
//! - The node: past [`MANY_BYTES`] a session has one publish unanswered at a time. That is more than any broker has under
//!   way, so it costs nothing, and bounds how long a publish of a session with many waits for its turn. Past
//!   [`NODE_BYTES`] none begins. The bounds are looked at before a message is taken, so one for each thread may pass
//!   them.
//! - A reader that waits, and whose session has nothing unanswered, stands in line: nothing of its own wakes it. While
//!   there is a line there is something unanswered, for below half of the bound nobody stands in it.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use fanfare_core::Limits;
use parking_lot::Mutex;

use crate::session::flow::Flow;

/// How many bytes of sessions' publications may be unanswered on the node, each counted with [`OVERHEAD`].
const NODE_BYTES: usize = 32 << 20;
/// Up to so many of them a session may have as many as it wants.
const MANY_BYTES: usize = 4 << 20;
/// What an unanswered publication is taken for beside its payload, in bytes.
const OVERHEAD: usize = 256;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct PublishBudget {
    publishes: AtomicUsize,
    bytes: AtomicUsize,
    /// Of the node.
    used: AtomicUsize,
    /// How many stand in line: changed before the line is.
    waiting: AtomicUsize,
    line: Mutex<VecDeque<Arc<Flow>>>,
}

impl PublishBudget {
    pub(crate) fn new(limits: &Limits) -> Self {
        let [publishes, bytes] = [limits.unanswered_publishes, limits.unanswered_bytes].map(AtomicUsize::new);
        Self {
            publishes,
            bytes,
            used: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            line: Mutex::default(),
        }
    }

    /// From now on as much as these limits say. A reader that waits for room looks again at the next answer.
    pub(crate) fn set(&self, limits: &Limits) {
        self.publishes.store(limits.unanswered_publishes, Ordering::Relaxed);
        self.bytes.store(limits.unanswered_bytes, Ordering::Relaxed);
    }

    /// Whether a session that has so much unanswered may publish one more.
    pub(crate) fn allows(&self, publishes: usize, bytes: usize) -> bool {
        let used = self.used.load(Ordering::SeqCst);
        publishes < self.publishes.load(Ordering::Relaxed)
            && bytes < self.bytes.load(Ordering::Relaxed)
            && used < if publishes == 0 { NODE_BYTES } else { MANY_BYTES }
    }

    /// Whether a reader that waits is woken for a session that has so much unanswered: once it may take half of what a
    /// session may have, for to wake it costs as much as a publish.
    pub(crate) fn is_worth_waking(&self, publishes: usize, bytes: usize) -> bool {
        publishes <= self.publishes.load(Ordering::Relaxed) / 2
            && bytes <= self.bytes.load(Ordering::Relaxed) / 2
            && self.allows(publishes, bytes)
    }

    pub(crate) fn begin(&self, bytes: usize) {
        self.used.fetch_add(bytes + OVERHEAD, Ordering::SeqCst);
    }

    /// One was answered: the line goes on.
    pub(crate) fn end(&self, bytes: usize) {
        let used = self.used.fetch_sub(bytes + OVERHEAD, Ordering::SeqCst) - bytes - OVERHEAD;
        self.go_on(used);
    }

    /// The reader of this flow waits, which has nothing unanswered.
    pub(crate) fn stand_in_line(&self, flow: &Arc<Flow>) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.line.lock().push_back(flow.clone());
        // The last answer may have come before it stood there.
        self.go_on(self.used.load(Ordering::SeqCst));
    }

    fn go_on(&self, used: usize) {
        if used >= NODE_BYTES || self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let next = {
            let mut line = self.line.lock();
            let next = if used < NODE_BYTES / 2 { line.len() } else { line.len().min(1) };
            self.waiting.fetch_sub(next, Ordering::SeqCst);
            line.drain(..next).collect::<Vec<_>>()
        };
        next.iter().for_each(|flow| flow.left_line());
    }
}
