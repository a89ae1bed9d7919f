//! The sessions of a shard for which bytes wait.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use fanfare_core::SessionId;
use parking_lot::Mutex;

use crate::session::state::Session;

/// The sessions for which bytes wait. A session that has ended is among them while its goodbye waits.
#[derive(Default)]
pub(crate) struct Watched(Mutex<HashMap<SessionId, Weak<Session>>>);

impl Watched {
    pub(crate) fn add(&self, session: &Arc<Session>) {
        self.0.lock().entry(session.id).or_insert_with(|| Arc::downgrade(session));
    }

    /// Removes those of `caught_up` for which nothing waits any more. A session that falls behind meanwhile is added
    /// after its queue is there: it is either seen here or added anew.
    pub(crate) fn forget(&self, caught_up: &[Arc<Session>]) {
        let mut watched = self.0.lock();
        for session in caught_up.iter().filter(|session| session.queued() == 0) {
            watched.remove(&session.id);
        }
        watched.retain(|_, session| session.strong_count() > 0);
    }

    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        self.0.lock().values().filter_map(Weak::upgrade).collect()
    }
}
