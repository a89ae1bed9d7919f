//! Slow clients: those that do not read fast enough.
//!
//! Invariants
//! - A shard watches every session for which bytes wait, and no other for much longer than a second. Only these are
//!   looked at: once a second for the time that they have been behind, and all of the node when its budget is passed.
//! - By its own bytes a client is judged within its shard's clock: past half the bound at two turns without a break, at
//!   least a second apart. A turn that comes late does not count, see [`heartbeat`](crate::upkeep::heartbeat).
//! - Past the budget the sessions with most waiting bytes go first. Replaceable messages are conflated. Where that is
//!   not enough, sessions end: their queues are dropped, and their clients are told.

use std::{cmp::Reverse, sync::Arc};

use fanfare_core::Disconnect;

use crate::{
    delivery::{dispatcher::Dispatcher, shard::Shard},
    ending::goodbye::Goodbyes,
    session::{link::Backlog, state::Session},
    upkeep::budget::Budget,
};

/// Looks between which other tasks get their turn.
const LOOKS_PER_TURN: usize = 256;

/// Judges the clients of a node by the bytes that wait for them.
pub(crate) struct SlowClients {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) goodbyes: Arc<Goodbyes>,
    pub(crate) budget: Arc<Budget>,
}

impl SlowClients {
    /// Judges the sessions that a shard watches, once a turn of its clock.
    pub(crate) async fn turn(&self, shard: &Shard) {
        let mut caught_up = Vec::new();
        for (count, session) in shard.watched.sessions().into_iter().enumerate() {
            match session.outbound.turn(&self.budget) {
                Backlog::Nothing => caught_up.push(session),
                Backlog::Waits => {}
                Backlog::Slow => self.goodbyes.end(&session, &Disconnect::Slow),
            }
            if count % LOOKS_PER_TURN == LOOKS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        shard.watched.forget(&caught_up);
    }

    /// Keeps the node's budget for as long as the node lives.
    pub(crate) async fn keep_budget(self: Arc<Self>) {
        loop {
            self.budget.pressed().await;
            self.relieve(|session| session.outbound.conflate(&self.budget)).await;
            let ended = self.relieve(|session| {
                session.outbound.shed();
                self.goodbyes.end(session, &Disconnect::Slow);
            });
            let ended = ended.await;
            if ended > 0 {
                tracing::warn!(
                    ended,
                    "limits.outbound_total_bytes is passed: the slowest clients were closed"
                );
            }
        }
    }

    /// Calls `go` for the sessions, the slowest first, until the budget is relieved. The number of calls.
    async fn relieve(&self, go: impl Fn(&Arc<Session>)) -> usize {
        let watched = self.dispatcher.shards().iter().flat_map(|shard| shard.watched.sessions());
        let mut slowest: Vec<_> = watched.map(|session| (session.outbound.charged(), session)).collect();
        slowest.retain(|(charged, _)| *charged > 0);
        slowest.sort_unstable_by_key(|(charged, _)| Reverse(*charged));
        for (count, (_, session)) in slowest.iter().enumerate() {
            if self.budget.is_relieved() {
                return count;
            }
            go(session);
            if count % LOOKS_PER_TURN == LOOKS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        slowest.len()
    }
}
