//! Bytes of clients that this node cannot process yet: messages that came in part, and messages that have to wait.
//!
//! Invariants
//! - A shard knows every session whose reader holds such bytes. Only these are looked at, once a turn of the shard's
//!   clock. A client that sends whole messages touches none of this.
//! - The time in which this node did not read does not count.
//! - A session that has ended stays known until its reader has dropped its bytes.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
    time::Duration,
};

use fanfare_core::{Limits, SessionId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::session::state::Session;

/// The sessions of a shard whose readers hold bytes.
#[derive(Default)]
pub(crate) struct Incomplete(Mutex<HashMap<SessionId, Entry>>);

struct Entry {
    session: Weak<Session>,
    /// The second of the oldest byte.
    began: u32,
    bytes: usize,
    reader: Waker,
}

/// The bytes that a session's reader holds until more come, or until the session may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffered {
    /// The memory that they take, in bytes.
    pub bytes: usize,
    /// Whether the oldest of them came since the last call.
    pub is_new: bool,
}

/// A session whose reader holds bytes.
pub(crate) struct Holder {
    pub(crate) session: Arc<Session>,
    pub(crate) bytes: usize,
    /// The number of seconds in which they were held.
    pub(crate) seconds: u32,
}

impl Incomplete {
    /// From now on the reader of `session` holds this. The growth in bytes.
    pub(crate) fn set(&self, session: &Arc<Session>, buffered: Buffered, reader: &Waker, now: u32) -> i64 {
        let mut entries = self.0.lock();
        let entry = entries.entry(session.id).or_insert_with(|| Entry {
            session: Arc::downgrade(session),
            began: now,
            bytes: 0,
            reader: reader.clone(),
        });
        if buffered.is_new {
            entry.began = now;
        }
        entry.reader.clone_from(reader);
        signed(buffered.bytes) - signed(std::mem::replace(&mut entry.bytes, buffered.bytes))
    }

    /// The reader of `session` holds nothing any more. The bytes that it held.
    pub(crate) fn remove(&self, session: &Session) -> i64 {
        self.0.lock().remove(&session.id).map_or(0, |entry| signed(entry.bytes))
    }

    /// The session ends: its reader is woken to drop its bytes.
    pub(crate) fn ends(&self, session: &Session) {
        let reader = self.0.lock().get(&session.id).map(|entry| entry.reader.clone());
        reader.into_iter().for_each(Waker::wake);
    }

    /// The sessions that hold bytes for longer than `limit` at `now`, and the bytes of sessions that are gone.
    pub(crate) fn late(&self, now: u32, limit: Duration) -> (Vec<Arc<Session>>, i64) {
        let (mut late, mut gone) = (Vec::new(), 0);
        self.0.lock().retain(|_, entry| {
            let Some(session) = entry.session.upgrade() else {
                gone += signed(entry.bytes);
                return false;
            };
            if session.last_activity.is_unread() {
                entry.began = now;
            }
            // It began somewhere in its second.
            let is_late = Duration::from_secs(now.saturating_sub(entry.began).into()) > limit;
            if is_late && !session.has_ended() {
                late.push(session);
            }
            true
        });
        (late, gone)
    }

    /// The sessions that hold bytes and have not ended.
    pub(crate) fn holders(&self, now: u32) -> Vec<Holder> {
        let holder = |entry: &Entry| {
            let session = entry.session.upgrade().filter(|session| !session.has_ended())?;
            let seconds = now.saturating_sub(entry.began).saturating_add(1);
            Some(Holder { session, bytes: entry.bytes, seconds })
        };
        self.0.lock().values().filter_map(holder).collect()
    }
}

/// The bound of the bytes that the readers of a node may hold together.
#[derive(Debug)]
pub(crate) struct BufferBound {
    bytes: AtomicUsize,
    pressed: Notify,
}

impl BufferBound {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { bytes: AtomicUsize::new(limits.incomplete_total_bytes), pressed: Notify::new() }
    }

    /// Changes the bound. The bytes that are held are compared with it now.
    pub(crate) fn set(&self, limits: &Limits) {
        self.bytes.store(limits.incomplete_total_bytes, Ordering::Relaxed);
        self.pressed.notify_one();
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The readers hold this many bytes now, more than before.
    pub(crate) fn grown_to(&self, bytes: i64) {
        if bytes > signed(self.bytes()) {
            self.pressed.notify_one();
        }
    }

    /// Ends when the bound may be passed.
    pub(crate) async fn pressed(&self) {
        self.pressed.notified().await;
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
