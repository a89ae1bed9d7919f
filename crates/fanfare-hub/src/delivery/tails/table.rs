//! All tails of a node, and the work on them that is noted for the healer.
//!
//! Invariant: a channel has a tail as long as a session of this node is in it, or waits to be, and its namespace keeps
//! publications.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use fanfare_core::{Channel, Namespaces, Partition, Retention};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::shared::SharedTail;

/// See the head of this file.
pub(crate) struct Tails {
    tails: Mutex<HashMap<Channel, Arc<SharedTail>>>,
    work: Mutex<Work>,
    noted: Notify,
    /// The seconds since the start, as the healer counts them.
    now: AtomicU32,
    /// The bytes of all tails.
    bytes: AtomicUsize,
    bound: AtomicUsize,
}

/// Work that was not begun.
#[derive(Default)]
pub(crate) struct Work {
    /// Tails whose top is to be asked for.
    pub(crate) open: Vec<Arc<SharedTail>>,
    /// Tails whose top is to be compared with that of the history.
    pub(crate) check: Vec<Arc<SharedTail>>,
    /// Tails that need a read.
    pub(crate) heal: Vec<Arc<SharedTail>>,
    /// Partitions whose interruption is over.
    pub(crate) restored: Vec<Partition>,
    /// Whether the tails take too much memory.
    pub(crate) evict: bool,
}

impl Tails {
    /// No tails. Their publications may have `bound` bytes.
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            tails: Mutex::default(),
            work: Mutex::default(),
            noted: Notify::new(),
            now: AtomicU32::new(0),
            bytes: AtomicUsize::new(0),
            bound: AtomicUsize::new(bound),
        }
    }

    pub(crate) fn get(&self, channel: &Channel) -> Option<Arc<SharedTail>> {
        self.tails.lock().get(channel).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<SharedTail>> {
        self.tails.lock().values().cloned().collect()
    }

    /// Makes the tail of a channel, if it has none.
    pub(crate) fn begin(
        &self,
        channel: &Channel,
        retention: Retention,
        is_delta: bool,
    ) -> Option<Arc<SharedTail>> {
        let mut tails = self.tails.lock();
        if tails.contains_key(channel) {
            return None;
        }
        let tail = SharedTail::new(channel.clone(), retention, self.now());
        tail.lock().keep(retention, is_delta);
        tails.insert(channel.clone(), tail.clone());
        Some(tail)
    }

    /// Removes the tail of a channel.
    pub(crate) fn remove(&self, channel: &Channel) -> Option<Arc<SharedTail>> {
        self.tails.lock().remove(channel)
    }

    /// Asks for the top of a tail whose channel the broker confirmed, once.
    pub(crate) fn open(&self, tail: &Arc<SharedTail>) {
        if !std::mem::replace(&mut tail.lock().is_asked, true) {
            self.note(|work| work.open.push(tail.clone()));
        }
    }

    /// Notes work.
    pub(crate) fn note(&self, note: impl FnOnce(&mut Work)) {
        note(&mut self.work.lock());
        self.noted.notify_one();
    }

    /// The work since the last call, once there is some.
    pub(crate) async fn work(&self) -> Work {
        self.noted.notified().await;
        std::mem::take(&mut *self.work.lock())
    }

    /// The second that it is.
    pub(crate) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn pass_to(&self, now: u32) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// The bytes of a tail's publications changed. The bytes of all tails.
    pub(crate) fn account(&self, before: usize, after: usize) -> usize {
        let change = after.wrapping_sub(before);
        let bytes = self.bytes.fetch_add(change, Ordering::Relaxed).wrapping_add(change);
        if after > before && bytes > self.bound() {
            self.note(|work| work.evict = true);
        }
        bytes
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn bound(&self) -> usize {
        self.bound.load(Ordering::Relaxed)
    }

    /// Changes the bound, and what each tail keeps.
    pub(crate) fn reload(&self, namespaces: &Namespaces, bound: usize) {
        self.bound.store(bound, Ordering::Relaxed);
        for tail in self.all() {
            let namespace = namespaces.of(&tail.channel);
            if let Some(retention) = namespace.retention {
                let mut state = tail.lock();
                let before = state.tail.bytes();
                state.keep(retention, namespace.delta);
                self.account(before, state.tail.bytes());
            }
        }
        self.note(|work| work.evict = true);
    }
}
