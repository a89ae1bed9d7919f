//! Subscribing sessions to channels.
//!
//! Invariants
//! - A session joins a channel after the broker confirmed it, and after the channel's position is known where it has a
//!   history.
//! - In a channel with history a session joins under the lock of the channel's tail: it gets all publications behind
//!   the position that it is told.

use std::sync::Arc;

use arc_swap::ArcSwap;
use fanfare_core::{
    Channel, CommandError, Limits, Message, Push, SubscribeError, broker::SubscribeFuture,
    dialect::Unsubscribed, reply::Action,
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
        interest::{Interest, InterestGuard},
        permission::permit,
        state::{Channels, Session},
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
        self.clone().join_asked(session, channel, asked, joining)
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
        let asked = self.ask_without_permission(session, channel);
        let joined = self.clone().join_asked(session.clone(), channel.clone(), asked, View::Verbatim.into());
        let Subscribed { channel, position } = joined.await?;
        self.writer.push(session, &Push::Subscribed { channel, position });
        Ok(())
    }

    /// Ends a subscription as the operator's backend asks. The client is told, where its dialect has a word for it.
    pub(crate) fn unsubscribe_by_server(&self, session: &Arc<Session>, channel: &Channel) {
        self.unsubscribe(session, channel);
        self.writer
            .push(session, &Push::Unsubscribed { channel: channel.clone(), reason: Unsubscribed::ByServer });
    }

    /// Joins a session to a channel once the broker confirmed it.
    fn join_asked(
        self: Arc<Self>,
        session: Arc<Session>,
        channel: Channel,
        asked: Result<Option<Asked>, CommandError>,
        joining: Joining,
    ) -> impl Future<Output = Result<Subscribed, CommandError>> + Send + use<> {
        let this = self;
        async move {
            let not_joined = Subscribed { channel: channel.clone(), position: None };
            let Some(asked) = asked? else { return Ok(not_joined) };
            let confirmed = this.confirmed(asked).await?;
            let joined = this.join_confirmed(&session, confirmed, joining)?;
            this.attendance.tell();
            Ok(joined.unwrap_or(not_joined))
        }
    }

    /// Joins a session, where it has not ended.
    fn join_confirmed(
        &self,
        session: &Arc<Session>,
        confirmed: Confirmed,
        joining: Joining,
    ) -> Result<Option<Subscribed>, CommandError> {
        let mut channels = session.channels.lock();
        // Meanwhile the session may have ended, or joined the channel by another command.
        if !channels.can_join(confirmed.channel(), confirmed.most)? {
            return Ok(None);
        }
        let Some(tail) = confirmed.tail.clone() else {
            let channel = self.join(session, &mut channels, confirmed, joining);
            return Ok(Some(Subscribed { channel, position: None }));
        };
        let state = tail.lock();
        let channel = self.join(session, &mut channels, confirmed, joining);
        Ok(Some(Subscribed { channel, position: state.tail.position() }))
    }

    /// Asks the broker for a channel, where the session may join it and has not ended.
    pub(crate) fn ask(
        &self,
        session: &Arc<Session>,
        channel: &Channel,
    ) -> Result<Option<Asked>, CommandError> {
        permit(self.dispatcher.namespaces().of(channel).subscribe, session, channel, Action::Subscribe)?;
        self.ask_without_permission(session, channel)
    }

    fn ask_without_permission(
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
        joining: Joining,
    ) -> Channel {
        let channel = confirmed.guard.keep();
        channels.joined.push(channel.clone());
        if joining.view == View::Held {
            session.held_or_new().begin(channel.clone());
        }
        self.dispatcher.join(&channel, session, joining);
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

    /// Ends a subscription, if there is one.
    pub fn unsubscribe(&self, session: &Session, channel: &Channel) {
        let mut channels = session.channels.lock();
        let Some(at) = channels.joined.iter().position(|found| found == channel) else { return };
        let channel = channels.joined.swap_remove(at);
        // Under the lock, as the joining is: else it could undo a later one.
        self.dispatcher.leave(&channel, session);
        self.attendance.left(&channel, session);
        drop(channels);
        self.attendance.tell();
        if let Some(held) = session.held() {
            held.release(&channel, drop);
        }
        self.interest.release(&channel);
    }
}
