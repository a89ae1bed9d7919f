//! Tells the outbox which channels this node's sessions are in, and whose connections ended.
//!
//! Invariants
//! - The node occupies a channel of a namespace with events from its first session there until the last one left. A
//!   session counts where it joined while the namespace had events.
//! - The end of a connection is told where its client had connected by a command, and while the backend wants to know.
//! - Nothing here waits: the outbox takes everything at once.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use fanfare_core::{
    Channel, ClientId, CloseFrame, Disconnect, Identity, Outbox, SessionId, outbox::ConnectionEnd,
};
use parking_lot::Mutex;

use crate::{
    delivery::dispatcher::Dispatcher,
    session::{end::End, phase::Phase, state::Session},
};

/// See the head of this file.
pub struct ClientEvents {
    outbox: Arc<dyn Outbox>,
    /// Whether a channel of a namespace with events was joined since the start: else nobody has to leave.
    is_used: AtomicBool,
    sessions: Mutex<HashMap<Channel, HashSet<SessionId>>>,
    tells_ends: AtomicBool,
}

impl ClientEvents {
    pub(crate) fn new(outbox: Arc<dyn Outbox>, dispatcher: Arc<Dispatcher>) -> Self {
        outbox.members_of(Box::new(move |channel| dispatcher.namespaces().of(channel).events));
        Self {
            outbox,
            is_used: AtomicBool::new(false),
            sessions: Mutex::default(),
            tells_ends: AtomicBool::new(false),
        }
    }

    /// Whether the backend wants to know whose connections end, from now on.
    pub fn tell_ends(&self, tells: bool) {
        self.tells_ends.store(tells, Ordering::Relaxed);
    }

    /// A session joined a channel of a namespace with events. Called under the session's lock.
    pub(crate) fn joined(&self, channel: &Channel, session: SessionId) {
        self.is_used.store(true, Ordering::Release);
        let mut sessions = self.sessions.lock();
        let here = sessions.entry(channel.clone()).or_default();
        if here.insert(session) && here.len() == 1 {
            // Under the lock, so that the outbox hears of changes in their order.
            self.outbox.occupy(channel, true);
        }
    }

    /// A session left a channel. Called under the session's lock, or after the session ended.
    pub(crate) fn left(&self, channel: &Channel, session: SessionId) {
        if !self.is_used.load(Ordering::Acquire) {
            return;
        }
        let mut sessions = self.sessions.lock();
        let Some(here) = sessions.get_mut(channel) else { return };
        if here.remove(&session) && here.is_empty() {
            sessions.remove(channel);
            self.outbox.occupy(channel, false);
        }
    }

    /// The connection of a session ended. `frame` is the dialect's close frame.
    pub(crate) fn ended(&self, client: ClientId, session: &Session, end: &End, frame: Option<&CloseFrame>) {
        let is_told = session.kind.connects.is_some() && self.tells_ends.load(Ordering::Relaxed);
        if !is_told || session.phase() != Phase::Connected {
            return;
        }
        let reason = match end.disconnect {
            Disconnect::Lost | Disconnect::NoPong | Disconnect::ByClient(_) => None,
            _ => frame.map(|frame| frame.reason.as_ref()).filter(|reason| !reason.is_empty()),
        };
        let identity = session.identity();
        let user = identity.as_deref().and_then(Identity::subject).unwrap_or_default().to_owned();
        let reason = reason.unwrap_or_else(|| end.disconnect.name()).to_owned();
        self.outbox.disconnected(ConnectionEnd { client, user, code: end.code, reason });
    }
}
