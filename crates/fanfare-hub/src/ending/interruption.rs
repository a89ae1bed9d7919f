//! Closes the sessions that may have missed publications.
//!
//! Invariants
//! - Sessions are closed for a loss only in namespaces that ask for it, and at a pace.
//! - In a channel with history a publication is lost only when the history does not have it.

use std::sync::Arc;

use fanfare_core::{Broker, Channel, Disconnect};

use crate::{
    delivery::{dispatcher::Dispatcher, losses::Lost},
    ending::drain::{Drain, Pace},
    session::state::Session,
};

/// Closes sessions after losses.
pub struct Interruptions {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) drain: Arc<Drain>,
}

impl Interruptions {
    /// Closes the sessions that may have missed publications, where their namespaces ask for it, at the pace that
    /// `pace` returns each time. Runs as long as it is polled.
    pub async fn close_sessions(self: Arc<Self>, pace: impl Fn() -> Pace) {
        loop {
            let lost = self.dispatcher.losses().next().await;
            let sessions = self.sessions_that_lost(&lost);
            if !sessions.is_empty() {
                self.drain.end_at_pace(sessions, pace(), &Disconnect::Interrupted).await;
            }
        }
    }

    fn sessions_that_lost(&self, lost: &Lost) -> Vec<Arc<Session>> {
        if lost.is_empty() {
            return Vec::new();
        }
        let namespaces = self.dispatcher.namespaces();
        let heals = |channel: &Channel| self.dispatcher.tails().get(channel).is_some();
        let has_lost = |session: &Arc<Session>| {
            session.has_any(|channel| lost.closes(&namespaces, &*self.broker, channel, heals))
        };
        self.dispatcher.sessions().into_iter().filter(has_lost).collect()
    }
}
