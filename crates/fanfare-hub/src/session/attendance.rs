//! Tells presence which clients of this node are in which channels, and subscribers that a client joined or left.
//!
//! Invariants
//! - A client that subscribes by a command is answered after its entry was written, where the broker takes it in time.
//! - A session is entered after it joined a channel, and leaves once: at once where it left the channel by itself, and
//!   after the namespace's grace where the session ended, since its client may come back.
//! - In a namespace with news of clients a session's entry and its leaving are news, once each. The entries of a node
//!   that died are too: the node that removed them from presence tells it. Where that node only stood still, it tells that
//!   its clients joined.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use fanfare_core::{
    Channel, ClientId, Identity, Presence, SessionId, attributes::PresenceChange, presence::PresenceEntry,
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{
    delivery::dispatcher::Dispatcher,
    session::{events::ClientEvents, news::News, state::Session},
};

/// See the head of this file.
pub(crate) struct Attendance {
    dispatcher: Arc<Dispatcher>,
    presence: Arc<dyn Presence>,
    news: News,
    pub(crate) events: Arc<ClientEvents>,
    /// Whether a client was entered since the start: else nobody has to leave.
    is_used: AtomicBool,
    /// The clients that are expected back in a channel, each until this moment. Changed under the session's lock.
    returning: Mutex<HashMap<(SessionId, Channel), Instant>>,
}

impl Attendance {
    pub(crate) fn new(
        dispatcher: Arc<Dispatcher>,
        presence: Arc<dyn Presence>,
        news: News,
        events: Arc<ClientEvents>,
    ) -> Arc<Self> {
        let is_used = AtomicBool::new(false);
        let returning = Mutex::default();
        let attendance = Arc::new(Self { dispatcher, presence, news, events, is_used, returning });
        let tells = Arc::downgrade(&attendance);
        attendance.presence.on_removed(Box::new(move |channel, entry| {
            if let Some(attendance) = tells.upgrade() {
                attendance.left_with_entry(channel, Some(entry));
                attendance.news.publish();
            }
        }));
        let tells = Arc::downgrade(&attendance);
        attendance.presence.on_returned(Box::new(move |channel, entry| {
            if let Some(attendance) = tells.upgrade() {
                attendance.returned(channel, entry);
            }
        }));
        attendance
    }

    /// A client of this node is in presence again, after another node told that it left.
    fn returned(&self, channel: &Channel, entry: PresenceEntry) {
        if self.dispatcher.namespaces().of(channel).join_leave {
            self.news.wait(channel, PresenceChange::Joined, entry);
            self.news.publish();
        }
    }

    /// A session joined a channel. Called under the session's lock; its news wait for [`Attendance::tell`].
    pub(crate) fn joined(&self, channel: &Channel, session: &Session) {
        let namespaces = self.dispatcher.namespaces();
        let namespace = namespaces.of(channel);
        if namespace.events {
            self.events.joined(channel, session.id);
        }
        if !namespace.tracks_presence {
            return;
        }
        self.is_used.store(true, Ordering::Release);
        let entry = self.entry(channel, session);
        let is_back = self.returning.lock().remove(&(session.id, channel.clone())).is_some();
        if namespace.join_leave && !is_back {
            self.news.wait(channel, PresenceChange::Joined, entry.clone());
        }
        self.presence.enter(channel, entry);
    }

    /// Others are to know a session's client by other information. Called under the session's lock.
    pub(crate) fn renewed(&self, channel: &Channel, session: &Session) {
        if self.is_used() && self.dispatcher.namespaces().of(channel).tracks_presence {
            self.presence.enter(channel, self.entry(channel, session));
        }
    }

    /// The same in all its channels.
    pub(crate) fn renewed_everywhere(&self, session: &Session) {
        let channels = session.channels.lock();
        if channels.ended.is_none() {
            channels.joined.iter().for_each(|channel| self.renewed(channel, session));
        }
    }

    /// Ends once readers on all nodes find the session in a channel that it joined, or the time is over: then its entry
    /// comes later.
    pub(crate) async fn entered(&self, channel: &Channel, until: Instant) {
        let is_tracked = self.dispatcher.namespaces().of(channel).tracks_presence;
        if is_tracked && let Some(entered) = self.presence.entered(channel) {
            // Presence is late, and the subscription stands.
            drop(timeout_at(until, entered).await);
        }
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

    /// A session left a channel by itself. Called under the session's lock; its news wait for [`Attendance::tell`].
    pub(crate) fn left(&self, channel: &Channel, session: &Session) {
        if self.is_used() {
            self.left_with_entry(channel, self.presence.leave(channel, self.client(session)));
        }
        self.events.left(channel, session.id);
    }

    /// As [`Attendance::left`], for a session whose client is expected back at once: it leaves once the grace is over.
    pub(crate) fn left_for_now(self: &Arc<Self>, channel: &Channel, session: &Arc<Session>) {
        let namespaces = self.dispatcher.namespaces();
        let namespace = namespaces.of(channel);
        if !namespace.tracks_presence || namespace.presence_grace.is_zero() {
            return self.left(channel, session);
        }
        self.events.left(channel, session.id);
        let until = Instant::now() + namespace.presence_grace;
        self.returning.lock().insert((session.id, channel.clone()), until);
        let (attendance, client, channel) = (self.clone(), self.client(session), channel.clone());
        let session = Arc::downgrade(session);
        // Not tracked: the entries of a node that ends before leave with the node.
        tokio::spawn(async move {
            sleep_until(until).await;
            attendance.leave_unless_back(channel, client, until, session.upgrade().as_deref());
            attendance.news.publish();
        });
    }

    /// Leaves a channel for a client that did not come back. `session` is its session, where there is one.
    fn leave_unless_back(
        &self,
        channel: Channel,
        client: ClientId,
        until: Instant,
        session: Option<&Session>,
    ) {
        // As the joining is: else its entry could be removed after it came back.
        let _channels = session.map(|session| session.channels.lock());
        let mut returning = self.returning.lock();
        // A later moment is of another time that it left.
        if let Entry::Occupied(entry) = returning.entry((client.session, channel))
            && *entry.get() == until
        {
            let ((_, channel), _) = entry.remove_entry();
            drop(returning);
            self.left_with_entry(&channel, self.presence.leave(&channel, client));
        }
    }

    /// Publishes the news that wait. Called after each joining and leaving, without a lock.
    #[inline]
    pub(crate) fn tell(&self) {
        if self.is_used() {
            self.news.publish();
        }
    }

    /// A session ended, and with it its place in these channels.
    pub(crate) fn ended(self: &Arc<Self>, channels: &[Channel], session: &Session) {
        channels.iter().for_each(|channel| self.events.left(channel, session.id));
        if !self.is_used() {
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
        let (attendance, ended) = (self.clone(), Instant::now());
        // Not tracked: the entries of a node that ends before leave with the node.
        tokio::spawn(async move {
            for (grace, channel) in later {
                sleep_until(ended + grace).await;
                attendance.left_with_entry(&channel, attendance.presence.leave(&channel, client));
                attendance.news.publish();
            }
        });
    }

    /// The news of a client wait whose entry is gone. A client without an entry had left before, or never was there.
    fn left_with_entry(&self, channel: &Channel, entry: Option<PresenceEntry>) {
        if let Some(entry) = entry
            && self.dispatcher.namespaces().of(channel).join_leave
        {
            self.news.wait(channel, PresenceChange::Left, entry);
        }
    }

    fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Acquire)
    }

    /// The id of a session's client.
    pub(crate) fn client(&self, session: &Session) -> ClientId {
        ClientId { node: self.dispatcher.incarnation(), session: session.id }
    }
}
