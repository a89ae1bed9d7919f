//! The progress of a shard's two tasks.
//!
//! Invariant: a step is one relaxed add by the only task that makes it. The tick steps once a run and every few hundred
//! sends, the wheel once a turn. The wheel wakes an idle tick once a second, so that the tick steps too.

use std::sync::atomic::{AtomicU32, Ordering};

/// Two numbers, each of which rises for as long as its task goes on.
#[derive(Debug, Default)]
pub(crate) struct ShardProgress {
    tick: AtomicU32,
    wheel: AtomicU32,
}

impl ShardProgress {
    /// The tick made a step.
    pub(crate) fn tick(&self) {
        self.tick.fetch_add(1, Ordering::Relaxed);
    }

    /// The wheel made a step.
    pub(crate) fn wheel(&self) {
        self.wheel.fetch_add(1, Ordering::Relaxed);
    }

    /// The steps of both.
    pub(crate) fn steps(&self) -> [u32; 2] {
        [&self.tick, &self.wheel].map(|steps| steps.load(Ordering::Relaxed))
    }
}
