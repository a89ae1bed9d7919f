//! Subscribing sessions to channels.
//!
//! Invariants
//! - A session joins a channel after the broker confirmed it, and after the channel's position is known where it has a
//!   history.
//! - In a channel with history a session joins under the lock of the channel's tail: it gets all publications behind
//!   the position that it is told.

use std::{sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
use bytes::Bytes;
use fanfare_core::{
    Channel, CommandError, Disconnect, Limits, Message, Push, SubscribeError, broker::SubscribeFuture,
    dialect::Unsubscribed,
};
use tokio::time::{Instant, timeout_at};

use crate::{
    delivery::{
        batch::Batch,
        dispatcher::Dispatcher,
        membership::{Joining, View},
        tails::{reader::Reader, shared::SharedTail},
    },
    metrics::HubMetrics,
    session::{
        attendance::Attendance,
        channels::Channels,
        granted::Grant,
        interest::{Interest, InterestGuard},
        permission::may_subscribe,
        state::Session,
        subscribed::Subscribed,
        writer::Writer,
    },
};

/// Subscribes and unsubscribes sessions.
pub struct Subscriptions {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) interest: Arc<Interest>,
    pub(crate) limits: Arc<ArcSwap<Limits>>,
    pub(crate) writer: Arc<Writer>,
    pub(crate) attendance: Arc<Attendance>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) metrics: Arc<HubMetrics>,
}

/// A subscription that the broker was asked for.
pub(crate) struct Asked {
    guard: InterestGuard,
    confirmed: SubscribeFuture,
    /// When the client's patience is over.
    until: Instant,
    /// The most channels of a session.
    most: usize,
}

/// A channel that the broker confirmed, and its tail, which is open.
pub(crate) struct Confirmed {
    guard: InterestGuard,
    pub(crate) tail: Option<Arc<SharedTail>>,
    pub(crate) until: Instant,
    pub(crate) most: usize,
}

/// The terms on which a session joins a channel.
pub(crate) struct Terms {
    pub(crate) joining: Joining,
    /// Whether it joins only where it gets the past that it asks for.
    pub(crate) must_resume: bool,
    /// The grant of its token for the channel.
    pub(crate) grant: Option<Grant>,
}

impl From<Joining> for Terms {
    fn from(joining: Joining) -> Self {
        Self { joining, must_resume: false, grant: None }
    }
}

impl Confirmed {
    pub(crate) fn channel(&self) -> &Channel {
        self.guard.channel()
    }
}

impl Subscriptions {
    /// Subscribes a session: every publication that the broker accepts after the future has ended reaches it. The broker
    /// is asked at once. A session that has ended does not change.
    ///
    /// # Errors
    /// The session is not subscribed, and why.
    pub fn subscribe(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
    ) -> impl Future<Output = Result<Subscribed, CommandError>> + Send + use<> {
        self.subscribe_as(session, channel, View::Verbatim.into())
    }

    /// Subscribes a session as [`Subscriptions::subscribe`] does; what comes is held until [`Subscriptions::release`].
    pub fn subscribe_held(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
    ) -> impl Future<Output = Result<Subscribed, CommandError>> + Send + use<> {
        self.subscribe_as(session, channel, View::Held.into())
    }

    /// Subscribes a session as [`Subscriptions::subscribe`] does, to what it asks for.
    pub fn subscribe_as(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
        joining: Joining,
    ) -> impl Future<Output = Result<Subscribed, CommandError>> + Send + use<> {
        let (session, channel) = (session.clone(), channel.clone());
        let asked = self.ask(&session, &channel);
        self.clone().join_asked(session, channel, asked, joining.into())
    }

    /// Ends a subscription as the operator's backend asks. The client is told, where its dialect has a word for it.
    pub(crate) fn unsubscribe_by_server(&self, session: &Arc<Session>, channel: &Channel) {
        self.end(session, channel.clone(), Unsubscribed::ByServer);
    }

    /// Ends a subscription that its client did not end.
    pub(crate) fn end(&self, session: &Arc<Session>, channel: Channel, reason: Unsubscribed) {
        self.unsubscribe(session, &channel);
        self.writer.push(session, &Push::Unsubscribed { channel, reason });
    }

    /// Joins a session to a channel once the broker confirmed it.
    pub(crate) fn join_asked(
        self: Arc<Self>,
        session: Arc<Session>,
        channel: Channel,
        asked: Result<Option<Asked>, CommandError>,
        terms: Terms,
    ) -> impl Future<Output = Result<Subscribed, CommandError>> + Send + use<> {
        let this = self;
        async move {
            let not_joined = Subscribed { channel: channel.clone(), position: None };
            let Some(asked) = asked? else { return Ok(not_joined) };
            let confirmed = this.confirmed(asked).await?;
            let joined = this.join_confirmed(&session, confirmed, &terms)?;
            this.attendance.tell();
            Ok(joined.unwrap_or(not_joined))
        }
    }

    /// Joins a session, where it has not ended.
    fn join_confirmed(
        &self,
        session: &Arc<Session>,
        confirmed: Confirmed,
        terms: &Terms,
    ) -> Result<Option<Subscribed>, CommandError> {
        let mut channels = session.channels.lock();
        // Meanwhile the session may have ended, or joined the channel by another command.
        if !channels.can_join(confirmed.channel(), confirmed.most)? {
            return Ok(None);
        }
        let Some(tail) = confirmed.tail.clone() else {
            let channel = self.join(session, &mut channels, confirmed, terms);
            return Ok(Some(Subscribed { channel, position: None }));
        };
        let state = tail.lock();
        let channel = self.join(session, &mut channels, confirmed, terms);
        Ok(Some(Subscribed { channel, position: state.tail.position() }))
    }

    /// Asks the broker for a channel, where the session may join it and has not ended.
    pub(crate) fn ask(
        &self,
        session: &Arc<Session>,
        channel: &Channel,
    ) -> Result<Option<Asked>, CommandError> {
        may_subscribe(self.dispatcher.namespaces().of(channel), session, channel)?;
        self.ask_without_permission(session, channel)
    }

    /// Asks the broker for a channel, whoever may subscribe to it.
    pub(crate) fn ask_without_permission(
        &self,
        session: &Arc<Session>,
        channel: &Channel,
    ) -> Result<Option<Asked>, CommandError> {
        let limits = self.limits.load();
        let most = limits.channels_per_connection;
        let can_join = session.channels.lock().can_join(channel, most)?;
        Ok(can_join.then(|| {
            let (guard, confirmed) = self.interest.acquire(channel);
            Asked { guard, confirmed, until: Instant::now() + limits.handshake, most }
        }))
    }

    /// Waits for the broker, and for the position of a channel with history.
    pub(crate) async fn confirmed(&self, asked: Asked) -> Result<Confirmed, CommandError> {
        let Asked { guard, confirmed, until, most } = asked;
        let opened = async {
            confirmed.await?;
            let Some(tail) = self.dispatcher.tails().get(guard.channel()) else { return Ok(None) };
            self.dispatcher.tails().open(&tail);
            tail.opened().await;
            Ok(Some(tail))
        };
        match timeout_at(until, opened).await {
            Ok(opened) => opened.map(|tail| Confirmed { guard, tail, until, most }),
            Err(_) => Err(SubscribeError::Unavailable.into()),
        }
    }

    /// Joins a session to a channel, under the lock of the channel's tail if it has one. The channel, whose string all
    /// its subscribers share. The caller lets the attendance tell once it holds no lock.
    pub(crate) fn join(
        &self,
        session: &Arc<Session>,
        channels: &mut Channels,
        confirmed: Confirmed,
        terms: &Terms,
    ) -> Channel {
        let channel = confirmed.guard.keep();
        channels.joined.push(channel.clone());
        if terms.joining.view == View::Held {
            session.held_or_new().begin(channel.clone());
        }
        if let Some(grant) = &terms.grant {
            session.granted_or_new().insert(channel.clone(), grant.clone());
            self.look_at_expiry(session);
        }
        self.dispatcher.join(&channel, session, &terms.joining);
        // Under the session's lock, as the leaving is: else a session could be entered after it left.
        self.attendance.joined(&channel, session);
        channel
    }

    /// Sends the history of a channel that was joined by [`Subscriptions::subscribe_held`], then what was held since;
    /// what comes from now on is live. Nothing overtakes.
    pub fn release(&self, session: &Arc<Session>, channel: &Channel, history: Vec<Message>) {
        let Some(held) = session.held() else { return };
        held.release(channel, |since| {
            self.writer.send_all(session, history);
            self.writer.send_batch(session, &mut Batch::of(since.into_iter()));
        });
        self.dispatcher.change_view(channel, session, View::Verbatim);
    }

    /// Sends messages, then what was held in these channels; what comes from now on is live. Nothing overtakes.
    pub(crate) fn release_all(&self, session: &Arc<Session>, messages: Vec<Message>, channels: &[Channel]) {
        let Some(held) = session.held() else { return self.writer.send_all(session, messages) };
        // Under the lock nothing is ended: an end takes the lock of the session's channels, under which this one is
        // taken.
        let sent = held.release_all(channels, |held| {
            let first = self.writer.try_send_all(session, messages);
            let batches = held.into_iter().map(|held| Batch::of(held.into_iter()));
            let others = batches.map(|mut batch| self.writer.try_send_batch(session, &mut batch));
            first.into_iter().chain(others.flatten()).collect::<Vec<_>>()
        });
        sent.into_iter().for_each(|sent| self.writer.after_send(session, sent));
        for channel in channels {
            self.dispatcher.change_view(channel, session, View::Verbatim);
        }
    }

    /// A new token, or the backend, says when a subscription ends, and maybe what others learn of it.
    pub(crate) fn extend(
        &self,
        session: &Session,
        channel: &Channel,
        expires_at: Option<SystemTime>,
        info: Option<Bytes>,
    ) {
        // Under the lock, as the leaving is: else a grant could stay that nobody removes.
        let channels = session.channels.lock();
        if channels.joined.contains(channel) {
            if session.granted_or_new().extend(channel, expires_at, info) {
                self.attendance.renewed(channel, session);
            }
            self.look_at_expiry(session);
        }
    }

    /// Ends the subscriptions whose tokens expired, and the grace with them.
    pub(crate) fn expire(&self, session: &Arc<Session>) {
        let Some(granted) = session.granted() else { return };
        let Some(by) = SystemTime::now().checked_sub(session.expiry_grace()) else { return };
        for channel in granted.expired(by) {
            self.end_expired(session, channel);
        }
    }

    /// Ends a subscription whose time is over, and with one that the server made the session.
    pub(crate) fn end_expired(&self, session: &Arc<Session>, channel: Channel) {
        if session.granted().is_some_and(|granted| granted.is_by_server(&channel)) {
            self.writer.goodbyes.end(session, &Disconnect::SubscriptionExpired);
        } else {
            self.end(session, channel, Unsubscribed::Expired);
        }
    }

    fn look_at_expiry(&self, session: &Session) {
        if let Some(shard) = self.dispatcher.shard_of(session) {
            shard.wheel.expires(session);
        }
    }

    /// Ends a subscription, if there is one.
    pub fn unsubscribe(&self, session: &Session, channel: &Channel) {
        self.leave(session, channel, |channel| self.attendance.left(channel, session));
    }

    /// Ends a subscription whose channel lost publications for good. Its client is told, and may subscribe again; then
    /// it does not go on from its place, which may lie behind the gap. Whether there was such a subscription.
    pub(crate) fn interrupt(&self, session: &Arc<Session>, channel: &Channel) -> bool {
        let left = self.leave(session, channel, |channel| self.attendance.left_for_now(channel, session));
        if left {
            session.told_or_new().add(channel, self.limits.load().channels_per_connection);
            self.metrics.history.interrupted.inc();
            let (channel, reason) = (channel.clone(), Unsubscribed::Interrupted);
            self.writer.push(session, &Push::Unsubscribed { channel, reason });
        }
        left
    }

    /// Removes a session from a channel that it joined. `left` tells the attendance. Whether it had joined it.
    fn leave(&self, session: &Session, channel: &Channel, left: impl FnOnce(&Channel)) -> bool {
        let mut channels = session.channels.lock();
        let Some(at) = channels.joined.iter().position(|found| found == channel) else { return false };
        let channel = channels.joined.swap_remove(at);
        // Under the lock, as the joining is: else it could undo a later one.
        self.dispatcher.leave(&channel, session);
        left(&channel);
        if let Some(granted) = session.granted() {
            granted.remove(&channel);
        }
        drop(channels);
        self.attendance.tell();
        if let Some(held) = session.held() {
            held.release(&channel, drop);
        }
        self.interest.release(&channel);
        true
    }
}
