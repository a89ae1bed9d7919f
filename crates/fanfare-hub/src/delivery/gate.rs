//! Bounds of the bytes between the broker and the shards.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use fanfare_core::{Limits, Partition};
use parking_lot::Mutex;
use smallvec::SmallVec;

/// See [`BrokerEvents::poll_calm`](fanfare_core::BrokerEvents::poll_calm).
const CALM_BYTES: usize = 256 << 10;

/// The bytes between the broker and the shards.
pub(crate) struct Pending {
    pub(crate) bytes: AtomicUsize,
    /// Past its bound the node takes no more.
    pub(crate) full: Gate,
    /// Past its bound new publications are written out only after a while.
    pub(crate) calm: Gate,
}

impl Pending {
    pub(crate) fn new(limits: &Limits) -> Self {
        let [full, calm] = [limits.inbound_bytes, calm(limits)].map(Gate::new);
        Self { bytes: AtomicUsize::new(0), full, calm }
    }

    pub(crate) fn set(&self, limits: &Limits) {
        self.full.set(limits.inbound_bytes);
        self.calm.set(calm(limits));
    }

    /// Whether the node takes no more, because too much waits.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= self.full.bound.load(Ordering::Relaxed)
    }

    /// The shards wrote out publications of this cost.
    pub(crate) fn done(&self, cost: usize) {
        let before = self.bytes.fetch_sub(cost, Ordering::AcqRel);
        self.full.fell(before, before - cost);
        self.calm.fell(before, before - cost);
    }
}

/// A bound, and the broker's tasks that wait until the bytes are below it: at most one for each partition.
pub(crate) struct Gate {
    bound: AtomicUsize,
    waiters: Mutex<SmallVec<[(Partition, Waker); 1]>>,
}

impl Gate {
    fn new(bound: usize) -> Self {
        Self { bound: AtomicUsize::new(bound), waiters: Mutex::default() }
    }

    fn set(&self, bound: usize) {
        self.bound.store(bound, Ordering::Release);
        // After the bound: a broker that leaves its waker later than this looks once more, and sees the new bound.
        self.open();
    }

    fn open(&self) {
        let waiters = std::mem::take(&mut *self.waiters.lock());
        waiters.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// The bytes fell from `before` to `now`.
    fn fell(&self, before: usize, now: usize) {
        let bound = self.bound.load(Ordering::Relaxed);
        if before >= bound && now < bound {
            self.open();
        }
    }

    /// Ready below the bound. `waits` is called when the task begins to wait.
    pub(crate) fn poll(
        &self,
        partition: Partition,
        bytes: &AtomicUsize,
        cx: &Context<'_>,
        waits: impl FnOnce(),
    ) -> Poll<()> {
        let is_below = || bytes.load(Ordering::Acquire) < self.bound.load(Ordering::Acquire);
        if is_below() {
            return Poll::Ready(());
        }
        let waited = self.leave_waker(partition, cx.waker());
        // The shards may have caught up before the waker was there to be woken.
        if is_below() {
            self.waiters.lock().retain(|(of, _)| *of != partition);
            return Poll::Ready(());
        }
        if !waited {
            waits();
        }
        Poll::Pending
    }

    /// Replaces the waker of a partition. Whether there was one.
    fn leave_waker(&self, partition: Partition, waker: &Waker) -> bool {
        let mut waiters = self.waiters.lock();
        if let Some((_, left)) = waiters.iter_mut().find(|(of, _)| *of == partition) {
            left.clone_from(waker);
            return true;
        }
        waiters.push((partition, waker.clone()));
        false
    }
}

/// The bytes on their way to the shards below which a publication is written out within a millisecond or two.
fn calm(limits: &Limits) -> usize {
    limits.inbound_bytes.min(CALM_BYTES)
}
