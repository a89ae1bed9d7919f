//! Who does not read fast enough, and what becomes of them.
//!
//! Invariants
//! - A shard watches every session for which something waits, and no other for much longer than a second. Only these are
//!   looked at: once a second for the time that they have been behind, and all of the node when the budget is
//!   passed.
//! - By its own bytes a client is judged within its shard's clock: past half the bound at two turns without a
//!   break, at least a second apart. A turn that comes late is none, see
//!   [`heartbeat`](crate::upkeep::heartbeat).
//! - Past the budget those go first for which most waits: what is replaceable is conflated, and where that is not
//!   enough sessions end. What waited for them is dropped; they are told.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Arc, Weak},
};

use fanfare_core::{Disconnect, SessionId};
use parking_lot::Mutex;

use crate::{
    delivery::shard::Shard,
    hub::Hub,
    session::{outbound::Backlog, state::Session},
};

/// Looks between which other tasks get their turn.
const LOOKS_PER_TURN: usize = 256;

/// The sessions of a shard for which something waits. Those that ended are among them while their goodbye is.
#[derive(Default)]
pub struct Watched(Mutex<HashMap<SessionId, Weak<Session>>>);

impl Watched {
    fn add(&self, session: &Arc<Session>) {
        self.0.lock().entry(session.id).or_insert_with(|| Arc::downgrade(session));
    }

    /// Forgets those for which nothing waits any more. Whoever falls behind meanwhile is added after its queue is
    /// there: it is either seen here or added anew.
    fn forget(&self, caught_up: &[Arc<Session>]) {
        let mut watched = self.0.lock();
        for session in caught_up.iter().filter(|session| session.queued() == 0) {
            watched.remove(&session.id);
        }
        watched.retain(|_, session| session.strong_count() > 0);
    }

    fn sessions(&self) -> Vec<Arc<Session>> {
        self.0.lock().values().filter_map(Weak::upgrade).collect()
    }
}

impl Hub {
    /// Something waits for this session from now on.
    pub(crate) fn watch(&self, session: &Arc<Session>) {
        if let Some(shard) = self.dispatcher().shard_of(session) {
            shard.watched.add(session);
        }
    }
}

/// Judges the sessions that a shard watches, once a turn of its clock.
pub(crate) async fn turn(hub: &Arc<Hub>, shard: &Shard) {
    let mut caught_up = Vec::new();
    for (count, session) in shard.watched.sessions().into_iter().enumerate() {
        match session.outbound.turn(hub.budget()) {
            Backlog::Nothing => caught_up.push(session),
            Backlog::Waits => {}
            Backlog::Slow => hub.end(&session, &Disconnect::Slow),
        }
        if count % LOOKS_PER_TURN == LOOKS_PER_TURN - 1 {
            tokio::task::yield_now().await;
        }
    }
    shard.watched.forget(&caught_up);
}

/// Keeps the node's budget for as long as the node lives.
pub(crate) async fn keep_budget(hub: Arc<Hub>) {
    loop {
        hub.budget().pressed().await;
        relieve(&hub, |session| session.outbound.conflate(hub.budget())).await;
        let ended = relieve(&hub, |session| {
            session.outbound.shed();
            hub.end(session, &Disconnect::Slow);
        });
        let ended = ended.await;
        if ended > 0 {
            tracing::warn!(ended, "limits.outbound_total_bytes is passed: the slowest clients were closed");
        }
    }
}

/// Goes through the sessions, the slowest first, until the budget is relieved. How many it were.
async fn relieve(hub: &Hub, go: impl Fn(&Arc<Session>)) -> usize {
    let watched = hub.dispatcher().shards().iter().flat_map(|shard| shard.watched.sessions());
    let mut slowest: Vec<_> = watched.map(|session| (session.outbound.charged(), session)).collect();
    slowest.retain(|(charged, _)| *charged > 0);
    slowest.sort_unstable_by_key(|(charged, _)| Reverse(*charged));
    for (count, (_, session)) in slowest.iter().enumerate() {
        if hub.budget().is_relieved() {
            return count;
        }
        go(session);
        if count % LOOKS_PER_TURN == LOOKS_PER_TURN - 1 {
            tokio::task::yield_now().await;
        }
    }
    slowest.len()
}
