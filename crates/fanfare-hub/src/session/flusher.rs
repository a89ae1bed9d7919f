//! Flushes bytes that sockets refused.

use std::{future::poll_fn, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::{delivery::dispatcher::Dispatcher, session::state::Session, upkeep::budget::Budget};

/// Flushes sessions, each in a task of its own.
pub(crate) struct Flusher {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) tasks: TaskTracker,
}

impl Flusher {
    /// From now on bytes wait for this session.
    pub(crate) fn watch(&self, session: &Arc<Session>) {
        if let Some(shard) = self.dispatcher.shard_of(session) {
            shard.watched.add(session);
        }
    }

    /// Flushes a session, for as long as that takes or until `limit`.
    pub(crate) fn flush(self: &Arc<Self>, session: &Arc<Session>, limit: Option<Duration>) {
        self.watch(session);
        let (flusher, session) = (self.clone(), session.clone());
        self.tasks.spawn(async move {
            let flushed = poll_fn(|cx| {
                let before = session.outbound.queued();
                let flushed = session.outbound.poll_flush(cx, &flusher.budget);
                if session.outbound.queued() < before {
                    session.last_activity.took(flusher.dispatcher.now(&session));
                }
                flushed
            });
            match limit {
                Some(limit) => drop(timeout(limit, flushed).await),
                None => drop(flushed.await),
            }
        });
    }
}
