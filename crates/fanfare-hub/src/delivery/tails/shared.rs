//! A tail behind its lock, as the node's tasks share it.
//!
//! Invariant: publications go to the shards, and sessions join, under the tail's lock. So each session gets the
//! publications from one offset on.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Channel, Position, Retention};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::{latest::Latest, past_read::PastRead, tail::Tail};

/// See the head of this file.
pub(crate) struct SharedTail {
    pub(crate) channel: Channel,
    state: Mutex<State>,
    changed: Notify,
}

/// The state of a tail, in seconds of the node's [`Tails`](super::table::Tails).
pub(crate) struct State {
    pub(crate) tail: Tail,
    /// The newest publication, for differences.
    pub(crate) latest: Latest,
    /// The read of the past that is under way.
    pub(crate) read: Option<PastRead>,
    /// Whether the top was asked for.
    pub(crate) is_asked: bool,
    /// The number of times that the position was compared with the history's.
    pub(crate) checks: u64,
    /// The second at which a publication came, or the position was checked.
    pub(crate) heard: u32,
    /// The second at which a publication came, or a session got some of the past.
    pub(crate) used: u32,
    /// The second at which the newest publication came.
    pub(crate) newest: u32,
    /// How long publications are kept behind the newest.
    pub(crate) ttl: Duration,
}

impl SharedTail {
    pub(crate) fn new(channel: Channel, retention: Retention, now: u32) -> Arc<Self> {
        let tail = Tail::new(retention.size);
        let state = State {
            tail,
            latest: Latest::default(),
            read: None,
            is_asked: false,
            checks: 0,
            heard: now,
            used: now,
            newest: now,
            ttl: retention.ttl,
        };
        Arc::new(Self { channel, state: Mutex::new(state), changed: Notify::new() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The tail was opened, healed or checked.
    pub(crate) fn has_changed(&self) {
        self.changed.notify_waiters();
    }

    /// Ends once `is_reached` finds what it looks for. It looks at each change.
    pub(crate) async fn until(&self, is_reached: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            if is_reached(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// Ends once the tail is open.
    pub(crate) async fn opened(&self) {
        self.until(|state| state.tail.position().is_some()).await;
    }

    /// The position up to which subscribers have all.
    pub(crate) fn position(&self) -> Option<Position> {
        self.lock().tail.position()
    }
}

impl State {
    /// Forgets the publications that were kept for long enough.
    pub(crate) fn expire(&mut self, now: u32) {
        if u64::from(now.saturating_sub(self.newest)) >= self.ttl.as_secs() {
            self.forget();
        }
    }

    /// Forgets all publications.
    pub(crate) fn forget(&mut self) {
        self.tail.forget();
        self.latest.forget();
    }

    /// Publications came.
    pub(crate) fn touch(&mut self, now: u32) {
        (self.heard, self.used, self.newest) = (now, now, now);
    }

    /// Keeps publications from now on as this says.
    pub(crate) fn keep(&mut self, retention: Retention, is_delta: bool) {
        self.tail.resize(retention.size, is_delta);
        self.ttl = retention.ttl;
        self.latest.forget();
    }
}
