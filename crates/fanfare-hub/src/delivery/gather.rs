//! Wakes a shard once for all that one read brings.
//!
//! A shard on another worker begins with the first publication it is woken for, and makes the others of the same read
//! wait until that one is written to everybody: two writes a subscriber where one does.
//!
//! Invariant: what was pushed while gathering is followed by a wake-up when the gathering ends, however it ends.

use std::{cell::Cell, ptr};

use crate::delivery::dispatcher::Dispatcher;

thread_local! {
    /// What this thread gathers now.
    static GATHERING: Cell<Option<Gathered>> = const { Cell::new(None) };
}

/// The shards of a dispatcher that are to be woken, one bit each.
#[derive(Clone, Copy)]
struct Gathered {
    dispatcher: *const Dispatcher,
    shards: u64,
}

/// Wakes when it is dropped.
struct Gathering<'a> {
    dispatcher: &'a Dispatcher,
    outer: Option<Gathered>,
}

impl Dispatcher {
    /// Runs `deliver`, and wakes the shards that it pushed to when it is done.
    pub(crate) fn gather<T>(&self, deliver: impl FnOnce() -> T) -> T {
        let outer = GATHERING.replace(Some(Gathered { dispatcher: self, shards: 0 }));
        let _gathering = Gathering { dispatcher: self, outer };
        deliver()
    }

    /// Something arrived in this shard, which was empty: wakes it, at once or when this thread has gathered.
    pub(crate) fn wake(&self, shard: usize) {
        match GATHERING.get() {
            Some(gathered) if ptr::eq(gathered.dispatcher, self) => {
                GATHERING.set(Some(Gathered { shards: gathered.shards | 1 << shard, ..gathered }));
            }
            _ => self.wake_now(shard),
        }
    }

    fn wake_now(&self, shard: usize) {
        if let Some(shard) = self.shards().get(shard) {
            shard.wake();
        }
    }
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        let mut shards = GATHERING.replace(self.outer).map_or(0, |gathered| gathered.shards);
        while shards != 0 {
            self.dispatcher.wake_now(shards.trailing_zeros() as usize);
            shards &= shards - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::Arc,
        task::{Context, Waker},
    };

    use fanfare_core::{Incarnation, Limits};

    use super::*;
    use crate::metrics::HubMetrics;

    fn dispatcher() -> Dispatcher {
        let metrics = Arc::new(HubMetrics::register(&prometheus::Registry::new()).unwrap());
        Dispatcher::new(Incarnation(1), 2, Arc::default(), &Limits::default(), metrics).0
    }

    fn is_woken(dispatcher: &Dispatcher, shard: usize) -> bool {
        let arrived = pin!(dispatcher.shards()[shard].arrived());
        arrived.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn shards_are_woken_when_all_is_there() {
        let (dispatcher, other) = (dispatcher(), self::dispatcher());
        dispatcher.gather(|| {
            dispatcher.gather(|| dispatcher.wake(0));
            assert!(is_woken(&dispatcher, 0), "the inner one has ended");
            dispatcher.wake(1);
            other.wake(1);
            assert!(!is_woken(&dispatcher, 1));
            assert!(is_woken(&other, 1), "nobody gathers for this one");
        });
        assert!(is_woken(&dispatcher, 1));
        dispatcher.wake(0);
        assert!(is_woken(&dispatcher, 0), "nothing is gathered any more");
    }
}
