//! Subscriptions that the server makes: of the channels that a token names, or the operator's backend.
//!
//! Invariants
//! - Nothing else need permit them. When one expires, its session ends: the client cannot ask for it again.
//! - A client hears of a subscription before the first publication. The past that the backend asks for is between.

use std::sync::Arc;

use fanfare_core::{
    Action, Channel, CommandError, Position, Push, command::ResumeFrom, identity::SubscriptionTerms,
    reply::Subscription,
};

use crate::session::{
    granted::Grant, phase::Phase, resuming::Wish, state::Session, subscriptions::Subscriptions,
};

impl Subscriptions {
    /// Subscribes a session that connects. The broker is asked at once, and what comes is held until the answer.
    ///
    /// # Errors
    /// The session is not subscribed, and why.
    pub(crate) fn subscribe_connecting(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
        terms: SubscriptionTerms,
        resume: Option<ResumeFrom>,
    ) -> impl Future<Output = Result<(Channel, Subscription), CommandError>> + Send + use<> {
        let grant = Grant::of(&terms);
        let grant = if session.is_by_hook() { grant.by_backend() } else { grant };
        self.subscribe_on_terms(session, channel, terms, grant, resume)
    }

    /// Subscribes a session as a call of the operator's backend asks. The client is told, where its dialect has a word for
    /// it. A caller that gives the future up leaves the session with publications that it does not get.
    ///
    /// # Errors
    /// The session is not subscribed, and why.
    pub(crate) async fn subscribe_by_call(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
        terms: SubscriptionTerms,
        since: Option<ResumeFrom>,
    ) -> Result<(), CommandError> {
        if session.phase() != Phase::Connected {
            // It hears of no subscription before it has connected.
            return Err(CommandError::NotPermitted(Action::Subscribe));
        }
        let grant = Grant::of(&terms).by_backend();
        let subscribed = self.subscribe_on_terms(session, channel, terms, grant, since).await?;
        let (channel, Subscription { position, recovered, data, .. }) = subscribed;
        let past = recovered.filter(|recovered| recovered.is_whole);
        let begins = |at| past.as_ref().map_or(at, |past| Position { offset: past.since, ..at });
        let position = position.map(begins);
        let dialect = session.dialect();
        let push = dialect.push(&Push::Subscribed { channel: channel.clone(), position, data });
        let past = past.iter().flat_map(|past| &past.publications);
        let messages = push.into_iter().chain(past.map(|publication| dialect.publication(publication)));
        self.release_all(session, messages.collect(), &[channel]);
        Ok(())
    }

    fn subscribe_on_terms(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
        terms: SubscriptionTerms,
        grant: Grant,
        resume: Option<ResumeFrom>,
    ) -> impl Future<Output = Result<(Channel, Subscription), CommandError>> + Send + use<> {
        let wish = Wish { resume, is_by_server: true, ..Wish::default() };
        let subscribed = self.subscribe_as_granted(session, channel, wish, terms, grant.by_server());
        async move {
            let (channel, subscription) = subscribed.await?;
            // The client has nothing to do when the time is over.
            Ok((channel, Subscription { expires_in: None, ..subscription }))
        }
    }
}
