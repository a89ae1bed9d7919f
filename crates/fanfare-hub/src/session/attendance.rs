//! Tells presence which clients of this node are in which channels.
//!
//! Invariant: a session is entered after it joined a channel, and leaves once: at once where it left the channel by
//! itself, and after the namespace's grace where the session ended, since its client may come back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use fanfare_core::{Channel, ClientId, Identity, Presence, presence::PresenceEntry};
use tokio::time::{Instant, sleep_until};

use crate::{delivery::dispatcher::Dispatcher, session::state::Session};

/// See the head of this file.
pub(crate) struct Attendance {
    dispatcher: Arc<Dispatcher>,
    presence: Arc<dyn Presence>,
    /// Whether a client was entered since the start: else nobody has to leave.
    is_used: AtomicBool,
}

impl Attendance {
    pub(crate) fn new(dispatcher: Arc<Dispatcher>, presence: Arc<dyn Presence>) -> Self {
        Self { dispatcher, presence, is_used: AtomicBool::new(false) }
    }

    /// A session joined a channel.
    pub(crate) fn joined(&self, channel: &Channel, session: &Session) {
        if !self.dispatcher.namespaces().of(channel).tracks_presence {
            return;
        }
        self.is_used.store(true, Ordering::Release);
        self.presence.enter(channel, self.entry(channel, session));
    }

    /// A session's client, as others see it in a channel.
    pub(crate) fn entry(&self, channel: &Channel, session: &Session) -> PresenceEntry {
        let identity = session.identity();
        PresenceEntry {
            client: self.client(session),
            user: identity.as_deref().and_then(Identity::subject).map(str::to_owned),
            client_info: identity.as_deref().and_then(Identity::info),
            channel_info: session.granted().and_then(|granted| granted.info(channel)),
        }
    }

    /// A session left a channel by itself.
    pub(crate) fn left(&self, channel: &Channel, session: &Session) {
        if self.is_used.load(Ordering::Acquire) {
            self.presence.leave(channel, self.client(session));
        }
    }

    /// A session ended, and with it its place in these channels.
    pub(crate) fn ended(&self, channels: &[Channel], session: &Session) {
        if !self.is_used.load(Ordering::Acquire) {
            return;
        }
        let (client, namespaces) = (self.client(session), self.dispatcher.namespaces());
        let mut later = Vec::new();
        for channel in channels {
            let namespace = namespaces.of(channel);
            if namespace.tracks_presence {
                later.push((namespace.presence_grace, channel.clone()));
            } else {
                // There may be an entry of before a reload. Nobody can read it now, so it needs no grace.
                self.presence.leave(channel, client);
            }
        }
        if later.is_empty() {
            return;
        }
        later.sort_by_key(|(grace, _)| *grace);
        let (presence, ended) = (self.presence.clone(), Instant::now());
        // Not tracked: the entries of a node that ends before leave with the node.
        tokio::spawn(async move {
            for (grace, channel) in later {
                sleep_until(ended + grace).await;
                presence.leave(&channel, client);
            }
        });
    }

    /// The id of a session's client.
    pub(crate) fn client(&self, session: &Session) -> ClientId {
        ClientId { node: self.dispatcher.incarnation(), session: session.id }
    }
}
