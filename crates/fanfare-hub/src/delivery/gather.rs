//! The shards of a node, and their waking: a shard is woken once for all publications of one read.
//!
//! Else a shard on another worker begins with the first publication that it is woken for. The others of the same read
//! wait until that one is written to all subscribers: two writes for each subscriber where one does.
//!
//! Invariant: a shard to which something was pushed while gathering is woken when the gathering ends, also by a panic.

use std::{cell::Cell, ptr, sync::Arc};

use crate::delivery::shard::Shard;

thread_local! {
    /// The gathering of this thread.
    static GATHERING: Cell<Option<Gathered>> = const { Cell::new(None) };
}

/// The shards of a node.
pub(crate) struct Shards(Vec<Arc<Shard>>);

/// Those of a node's shards that are to be woken, one bit each.
#[derive(Clone, Copy)]
struct Gathered {
    of: *const Shards,
    shards: u64,
}

/// Wakes when it is dropped.
struct Gathering<'a> {
    of: &'a Shards,
    outer: Option<Gathered>,
}

impl Shards {
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count).map(|_| Arc::default()).collect())
    }

    pub(crate) fn all(&self) -> &[Arc<Shard>] {
        &self.0
    }

    /// Runs `deliver`, and wakes the shards that it pushed to afterwards.
    pub(crate) fn gather<T>(&self, deliver: impl FnOnce() -> T) -> T {
        let outer = GATHERING.replace(Some(Gathered { of: self, shards: 0 }));
        let _gathering = Gathering { of: self, outer };
        deliver()
    }

    /// Wakes a shard to which something was pushed: at once, or when this thread has gathered.
    pub(crate) fn wake(&self, shard: usize) {
        match GATHERING.get() {
            Some(gathered) if ptr::eq(gathered.of, self) => {
                GATHERING.set(Some(Gathered { shards: gathered.shards | 1 << shard, ..gathered }));
            }
            _ => self.wake_now(shard),
        }
    }

    fn wake_now(&self, shard: usize) {
        if let Some(shard) = self.0.get(shard) {
            shard.wake();
        }
    }
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        let mut shards = GATHERING.replace(self.outer).map_or(0, |gathered| gathered.shards);
        while shards != 0 {
            self.of.wake_now(shards.trailing_zeros() as usize);
            shards &= shards - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    fn is_woken(shards: &Shards, shard: usize) -> bool {
        let arrived = pin!(shards.0[shard].arrived());
        arrived.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn shards_are_woken_when_gathering_ends() {
        let (shards, other) = (Shards::new(2), Shards::new(2));
        shards.gather(|| {
            shards.gather(|| shards.wake(0));
            assert!(is_woken(&shards, 0), "the inner gathering has ended");
            shards.wake(1);
            other.wake(1);
            assert!(!is_woken(&shards, 1));
            assert!(is_woken(&other, 1), "nothing is gathered for this node");
        });
        assert!(is_woken(&shards, 1));
        shards.wake(0);
        assert!(is_woken(&shards, 0), "nothing is gathered any more");
    }
}
