//! The budget of unanswered publishes, of each session and of the node.
//!
//! Invariants
//! - A session: [`Limits::unanswered_publishes`] and [`Limits::unanswered_bytes`].
//! - The node: past [`MANY_BYTES`] a session has one publish unanswered at a time. That is more than any broker has
//!   under way, so it costs nothing, and it bounds how long a publish waits behind those of a busy session. Past
//!   [`NODE_BYTES`] no publish begins. The bounds are checked before a message is taken, so each thread may pass them
//!   by one message.
//! - A reader that waits, and whose session has nothing unanswered, is queued: no answer of its own wakes it. While
//!   readers are queued something is unanswered: below half of the bound the queue is empty.

use std::{
    collections::VecDeque,
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use fanfare_core::Limits;
use parking_lot::Mutex;

/// How many bytes of sessions' publishes may be unanswered on the node, each counted with [`OVERHEAD`].
const NODE_BYTES: usize = 32 << 20;
/// Up to this many of them a session is bounded only by its own limits.
const MANY_BYTES: usize = 4 << 20;
/// The size of an unanswered publish beside its payload, in bytes.
const OVERHEAD: usize = 256;

/// The bounds, their use, and the readers that wait for the node's.
#[derive(Debug)]
pub(crate) struct PublishBudget {
    publishes: AtomicUsize,
    bytes: AtomicUsize,
    /// The bytes that are unanswered on the node.
    used: AtomicUsize,
    /// The number of queued readers, changed before the queue is.
    waiting: AtomicUsize,
    queue: Mutex<VecDeque<Arc<dyn QueuedReader>>>,
}

/// A reader that waits for the node's budget.
pub(crate) trait QueuedReader: Debug + Send + Sync {
    /// The reader is not queued any more, and looks again whether its session may publish.
    fn left_queue(&self);
}

impl PublishBudget {
    pub(crate) fn new(limits: &Limits) -> Self {
        let [publishes, bytes] = [limits.unanswered_publishes, limits.unanswered_bytes].map(AtomicUsize::new);
        Self {
            publishes,
            bytes,
            used: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
        }
    }

    /// Changes the bounds of sessions. A reader that waits looks again at the next answer.
    pub(crate) fn set(&self, limits: &Limits) {
        self.publishes.store(limits.unanswered_publishes, Ordering::Relaxed);
        self.bytes.store(limits.unanswered_bytes, Ordering::Relaxed);
    }

    /// Whether a session with this much unanswered may publish one more.
    pub(crate) fn allows(&self, publishes: usize, bytes: usize) -> bool {
        let used = self.used.load(Ordering::SeqCst);
        publishes < self.publishes.load(Ordering::Relaxed)
            && bytes < self.bytes.load(Ordering::Relaxed)
            && used < if publishes == 0 { NODE_BYTES } else { MANY_BYTES }
    }

    /// Whether a waiting reader is woken when its session has this much unanswered: at half of the session's bound,
    /// since waking costs as much as a publish.
    pub(crate) fn is_worth_waking(&self, publishes: usize, bytes: usize) -> bool {
        publishes <= self.publishes.load(Ordering::Relaxed) / 2
            && bytes <= self.bytes.load(Ordering::Relaxed) / 2
            && self.allows(publishes, bytes)
    }

    pub(crate) fn begin(&self, bytes: usize) {
        self.used.fetch_add(bytes + OVERHEAD, Ordering::SeqCst);
    }

    /// A publish was answered: queued readers may go on.
    pub(crate) fn end(&self, bytes: usize) {
        let used = self.used.fetch_sub(bytes + OVERHEAD, Ordering::SeqCst) - bytes - OVERHEAD;
        self.go_on(used);
    }

    /// Queues a reader whose session has nothing unanswered.
    pub(crate) fn enqueue(&self, reader: Arc<dyn QueuedReader>) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.queue.lock().push_back(reader);
        // The last answer may have come before the reader was queued.
        self.go_on(self.used.load(Ordering::SeqCst));
    }

    fn go_on(&self, used: usize) {
        if used >= NODE_BYTES || self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let next = {
            let mut queue = self.queue.lock();
            let next = if used < NODE_BYTES / 2 { queue.len() } else { queue.len().min(1) };
            self.waiting.fetch_sub(next, Ordering::SeqCst);
            queue.drain(..next).collect::<Vec<_>>()
        };
        next.iter().for_each(|reader| reader.left_queue());
    }
}
