//! Subscribing sessions to channels.
//!
//! Invariant: a session joins a channel after the broker confirmed it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use fanfare_core::{
    Channel, CommandError, Limits, Message, Push, SubscribeError, broker::SubscribeFuture, command::Action,
};
use tokio::time::timeout;

use crate::{
    delivery::{dispatcher::Dispatcher, membership::View},
    session::{
        attendance::Attendance,
        interest::{Interest, InterestGuard},
        permission::permit,
        state::Session,
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
}

impl Subscriptions {
    /// Subscribes a session: every publication that the broker accepts after the future has ended reaches it. The broker
    /// is asked at once. A session that has ended does not change. Keep the channel returned, not a copy for each
    /// connection: all its subscribers share one string.
    ///
    /// # Errors
    /// The session is not subscribed, and why.
    pub fn subscribe(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
    ) -> impl Future<Output = Result<Channel, CommandError>> + Send + use<> {
        self.subscribe_as(session, channel, View::Verbatim)
    }

    /// Subscribes a session as [`Subscriptions::subscribe`] does; what comes is held until [`Subscriptions::release`].
    pub fn subscribe_held(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
    ) -> impl Future<Output = Result<Channel, CommandError>> + Send + use<> {
        self.subscribe_as(session, channel, View::Held)
    }

    fn subscribe_as(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
        view: View,
    ) -> impl Future<Output = Result<Channel, CommandError>> + Send + use<> {
        let (this, session, channel) = (self.clone(), session.clone(), channel.clone());
        let limits = self.limits.load_full();
        let asked = this
            .may_subscribe(&session, &channel)
            .and_then(|()| this.ask(&session, &channel, limits.channels_per_connection));
        this.join(session, channel, view, asked, limits)
    }

    /// Subscribes a session as the operator's backend asks: the namespace is not. The client is told, where its dialect
    /// has a word for it.
    ///
    /// # Errors
    /// The session is not subscribed, and why.
    pub(crate) async fn subscribe_by_server(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
    ) -> Result<(), CommandError> {
        let limits = self.limits.load_full();
        let asked = self.ask(session, channel, limits.channels_per_connection);
        let joined = self.clone().join(session.clone(), channel.clone(), View::Verbatim, asked, limits);
        let channel = joined.await?;
        self.writer.push(session, &Push::Subscribed(channel));
        Ok(())
    }

    /// Ends a subscription as the operator's backend asks. The client is told, where its dialect has a word for it.
    pub(crate) fn unsubscribe_by_server(&self, session: &Arc<Session>, channel: &Channel) {
        self.unsubscribe(session, channel);
        self.writer.push(session, &Push::Unsubscribed(channel.clone()));
    }

    fn may_subscribe(&self, session: &Session, channel: &Channel) -> Result<(), CommandError> {
        permit(self.dispatcher.namespaces().of(channel).subscribe, session, channel, Action::Subscribe)
    }

    fn join(
        self: Arc<Self>,
        session: Arc<Session>,
        channel: Channel,
        view: View,
        asked: Result<Option<(InterestGuard, SubscribeFuture)>, CommandError>,
        limits: Arc<Limits>,
    ) -> impl Future<Output = Result<Channel, CommandError>> + Send + use<> {
        let this = self;
        async move {
            let Some((guard, confirmed)) = asked? else { return Ok(channel) };
            match timeout(limits.handshake, confirmed).await {
                Ok(confirmed) => confirmed?,
                Err(_) => return Err(SubscribeError::Unavailable.into()),
            }
            let mut channels = session.channels.lock();
            // Meanwhile the session may have ended, or joined the channel by another command.
            if !channels.can_join(&channel, limits.channels_per_connection)? {
                return Ok(channel);
            }
            let channel = guard.keep();
            channels.joined.push(channel.clone());
            if view == View::Held {
                session.held_or_new().begin(channel.clone());
            }
            this.dispatcher.join(&channel, &session, view);
            // Under the lock, as the leaving is: else a session could be entered after it left.
            this.attendance.joined(&channel, &session);
            Ok(channel)
        }
    }

    /// Asks the broker for a channel, where the session may join it and has not ended.
    fn ask(
        &self,
        session: &Arc<Session>,
        channel: &Channel,
        most: usize,
    ) -> Result<Option<(InterestGuard, SubscribeFuture)>, CommandError> {
        let can_join = session.channels.lock().can_join(channel, most)?;
        Ok(can_join.then(|| self.interest.acquire(channel)))
    }

    /// Sends the history of a channel that was joined by [`Subscriptions::subscribe_held`], then what was held since;
    /// what comes from now on is live. Nothing overtakes.
    pub fn release(&self, session: &Arc<Session>, channel: &Channel, history: Vec<Message>) {
        let Some(held) = session.held() else { return };
        held.release(channel, |publications| {
            let dialect = session.dialect();
            let since = publications.iter().map(|publication| dialect.publication(publication));
            self.writer.send_all(session, history.into_iter().chain(since).collect());
        });
        self.dispatcher.change_view(channel, session, View::Verbatim);
    }

    /// Ends a subscription, if there is one.
    pub fn unsubscribe(&self, session: &Session, channel: &Channel) {
        let mut channels = session.channels.lock();
        let Some(at) = channels.joined.iter().position(|found| found == channel) else { return };
        let channel = channels.joined.swap_remove(at);
        // Under the lock, as the joining is: else it could undo a later one.
        self.dispatcher.leave(&channel, session);
        self.attendance.left(&channel, session);
        drop(channels);
        if let Some(held) = session.held() {
            held.release(&channel, drop);
        }
        self.interest.release(&channel);
    }
}
