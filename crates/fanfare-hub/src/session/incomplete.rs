//! What clients sent and this node cannot be done with yet: messages that came in part, and what has to wait.
//!
//! Invariants
//! - A shard knows every session of whose client something is held. Only these are looked at, once a turn of the
//!   shard's clock; a client that sends whole messages touches none of this.
//! - What is not whole after [`Limits::message_time`](fanfare_core::Limits::message_time) ends its session. So a client
//!   keeps no memory for ever with what it sent once and leaves unfinished.
//! - The time in which this node did not read does not count.
//! - All of it together is bounded ([`Limits::incomplete_total_bytes`](fanfare_core::Limits::incomplete_total_bytes)).
//!   Past the bound those sessions end first that hold most for longest, until it is an eighth below. Their readers are
//!   woken, and let go of what they hold.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
    time::Duration,
};

use fanfare_core::{Disconnect, Limits, SessionId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{delivery::shard::Shard, hub::Hub, session::state::Session};

/// The sessions of a shard of which something is held.
#[derive(Default)]
pub struct Incomplete(Mutex<HashMap<SessionId, Entry>>);

struct Entry {
    session: Weak<Session>,
    /// The second in which it began.
    began: u32,
    bytes: usize,
    reader: Waker,
}

/// What a session's reader holds until more comes, or until it may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffered {
    /// The memory that it takes, in bytes.
    pub bytes: usize,
    /// It began since the last time; else what was held then is still the oldest.
    pub is_new: bool,
}

/// How much may be held for all sessions of a node.
#[derive(Debug)]
pub(crate) struct Bound {
    bytes: AtomicUsize,
    pressed: Notify,
}

impl Bound {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { bytes: AtomicUsize::new(limits.incomplete_total_bytes), pressed: Notify::new() }
    }

    /// From now on with this. What is held already is looked at now.
    pub(crate) fn set(&self, limits: &Limits) {
        self.bytes.store(limits.incomplete_total_bytes, Ordering::Relaxed);
        self.pressed.notify_one();
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Incomplete {
    /// Those that had more than so much time until `now`. Ended sessions stay until their readers let go.
    fn late(&self, now: u32, limit: Duration, forgotten: impl Fn(usize)) -> Vec<Arc<Session>> {
        let mut late = Vec::new();
        self.0.lock().retain(|_, entry| {
            let Some(session) = entry.session.upgrade() else {
                forgotten(entry.bytes);
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
        late
    }

    /// The session ends: its reader has nothing to keep any more.
    pub(crate) fn ends(&self, session: &Session) {
        let reader = self.0.lock().get(&session.id).map(|entry| entry.reader.clone());
        reader.into_iter().for_each(Waker::wake);
    }

    /// What is held for sessions that have not ended.
    fn holders(&self, now: u32) -> Vec<Holder> {
        let holder = |entry: &Entry| {
            let session = entry.session.upgrade().filter(|session| !session.has_ended())?;
            let seconds = now.saturating_sub(entry.began).saturating_add(1);
            Some(Holder { session, bytes: entry.bytes, seconds })
        };
        self.0.lock().values().filter_map(holder).collect()
    }
}

/// A session that holds something.
struct Holder {
    session: Arc<Session>,
    bytes: usize,
    /// The seconds that it was held in.
    seconds: u32,
}

impl Hub {
    /// So much is held of a session from now on. When the session ends, `reader` is woken to let go of it.
    pub fn buffers(&self, session: &Arc<Session>, buffered: Buffered, reader: &Waker) {
        let Some(shard) = self.dispatcher().shard_of(session) else { return };
        let (now, mut entries) = (shard.now(), shard.incomplete.0.lock());
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
        let grown = signed(buffered.bytes) - signed(std::mem::replace(&mut entry.bytes, buffered.bytes));
        let gauge = &self.metrics().incomplete;
        gauge.add(grown);
        drop(entries);
        if grown > 0 && gauge.get() > signed(self.incomplete.bytes()) {
            self.incomplete.pressed.notify_one();
        }
    }

    /// Nothing is held of a session any more.
    pub fn buffers_nothing(&self, session: &Session) {
        if let Some(shard) = self.dispatcher().shard_of(session)
            && let Some(entry) = shard.incomplete.0.lock().remove(&session.id)
        {
            self.metrics().incomplete.sub(signed(entry.bytes));
        }
    }
}

/// Ends those whose messages take too long, once a turn of a shard's clock.
pub(crate) fn turn(hub: &Arc<Hub>, shard: &Shard) {
    let limit = hub.limits().message_time;
    let forgotten = |bytes| hub.metrics().incomplete.sub(signed(bytes));
    for session in shard.incomplete.late(shard.now(), limit, forgotten) {
        hub.end(&session, &Disconnect::MessageTooSlow { limit });
    }
}

/// Keeps the node's bound for as long as the node lives.
pub(crate) async fn keep_bound(hub: Arc<Hub>) {
    loop {
        hub.incomplete.pressed.notified().await;
        let ended = relieve(&hub);
        if ended > 0 {
            tracing::warn!(
                ended,
                "limits.incomplete_total_bytes is passed: the clients whose unfinished messages held most for longest were closed"
            );
        }
    }
}

/// How many sessions gave way.
fn relieve(hub: &Arc<Hub>) -> usize {
    let bound = hub.incomplete.bytes();
    let shards = hub.dispatcher().shards().iter();
    let mut holders: Vec<_> = shards.flat_map(|shard| shard.incomplete.holders(shard.now())).collect();
    let mut held: usize = holders.iter().map(|holder| holder.bytes).sum();
    if held <= bound {
        return 0;
    }
    holders.sort_unstable_by_key(|holder| Reverse(holder.bytes as u64 * u64::from(holder.seconds)));
    let mut ended = 0;
    for holder in holders {
        if held <= bound - bound / 8 {
            break;
        }
        held -= holder.bytes;
        hub.end(&holder.session, &Disconnect::MessageGaveWay);
        ended += 1;
    }
    ended
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
