//! Subscribes as the commands and the tokens of clients ask, or the operator's backend: with options, and with the past
//! in the answer.
//!
//! Invariant: what comes is held until the answer was sent ([`Subscriptions::release_all`]). So a client gets the answer
//! before the first publication behind its position.

use std::{sync::Arc, time::SystemTime};

use fanfare_core::{
    Channel, CommandError, Position, Publication, RecoveryMode, TagFilter,
    command::{ResumeEpoch, ResumeFrom},
    identity::SubscriptionTerms,
    reply::{Recovered, Subscription},
};

use tokio::time::Instant;

use crate::{
    delivery::{
        membership::{Joining, View},
        tails::past::Past,
    },
    session::{
        granted::Grant,
        permission::may_subscribe,
        recovery::Recovering,
        state::Session,
        subscribed::Subscribed,
        subscriptions::{Asked, Subscriptions, Terms},
    },
};

/// The wish of a client, or of its token.
#[derive(Default)]
pub(crate) struct Wish {
    /// Where the client wants to go on.
    pub(crate) resume: Option<ResumeFrom>,
    /// Whether it subscribes only where the past is whole.
    pub(crate) must_resume: bool,
    /// Whether it wants news of clients that join and leave.
    pub(crate) joins: bool,
    /// The publications that it wants; `None`: all.
    pub(crate) filter: Option<Arc<TagFilter>>,
    /// Whether it wants publications as differences.
    pub(crate) delta: bool,
    /// The grant of a token for this channel.
    pub(crate) grant: Option<Grant>,
    /// Whether the server subscribes the session: the token of the connection names the channel, or the operator's
    /// backend does. Then nothing else need permit it.
    pub(crate) is_by_server: bool,
}

impl Subscriptions {
    /// Subscribes a session. The broker is asked at once.
    ///
    /// # Errors
    /// The session is not subscribed, and why.
    pub(crate) fn subscribe_as_wished(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
        wish: Wish,
    ) -> impl Future<Output = Result<(Channel, Subscription), CommandError>> + Send + use<> {
        let past = wish.resume.and_then(|resume| self.past_behind(session, channel, resume, &wish));
        // Its place may lie behind the gap that it was told of.
        let has_lost = session.told().is_some_and(|told| told.take(channel));
        let past = past.filter(|past| !has_lost || matches!(past, Past::Newest(_)));
        let asked = self.ask_as_wished(session, channel, &wish, past);
        let delta = self.permits_delta(session, channel, &wish);
        let (this, session, channel) = (self.clone(), session.clone(), channel.clone());
        async move {
            let Wish { resume, must_resume, joins, filter, grant, is_by_server, .. } = wish;
            let until = Instant::now() + this.limits.load().handshake;
            let expires_at = grant.as_ref().and_then(|grant| grant.expires_at);
            let joining =
                Joining { view: View::Held, wants_news: joins, filter: filter.clone(), delta, is_by_server };
            let terms = Terms { joining, must_resume, grant };
            let recovering = match past {
                Some(past) => this.recover_asked(&session, channel, asked, past, &terms).await?,
                None => {
                    let joined = this.clone().join_asked(session.clone(), channel, asked, terms);
                    Recovering { subscribed: joined.await?, is_whole: false, publications: Vec::new() }
                }
            };
            let Recovering { subscribed: Subscribed { channel, position }, is_whole, publications } =
                recovering;
            this.attendance.entered(&channel, until).await;
            let publications = this.meant_for(&session, &channel, filter.as_deref(), publications);
            if delta && let Some(position) = position {
                this.begin_differences(&session, &channel, position, &publications);
            }
            let recovered = resume.map(|resume| {
                let newest = position.filter(|_| matches!(past, Some(Past::Newest(_))));
                let since = newest.map_or(resume.offset, |newest| newest.offset);
                Recovered { is_whole, since, publications }
            });
            let expires_in = expires_at.map(time_until);
            Ok((channel, Subscription { position, recovered, delta, expires_in, data: None }))
        }
    }

    /// Subscribes a session as it wishes, and on terms that permit it.
    ///
    /// # Errors
    /// The session is not subscribed, and why.
    pub(crate) fn subscribe_as_granted(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
        wish: Wish,
        terms: SubscriptionTerms,
        grant: Option<Grant>,
    ) -> impl Future<Output = Result<(Channel, Subscription), CommandError>> + Send + use<> {
        let SubscriptionTerms { data, joins, .. } = terms;
        let wish = Wish { joins: wish.joins || joins, grant, ..wish };
        let subscribed = self.subscribe_as_wished(session, channel, wish);
        async move { subscribed.await.map(|(channel, news)| (channel, Subscription { data, ..news })) }
    }

    /// Whether a client gets differences. With a filter it does not have the publication before.
    fn permits_delta(&self, session: &Session, channel: &Channel, wish: &Wish) -> bool {
        wish.delta
            && wish.filter.is_none()
            && session.dialect().delta().is_some()
            && self.dispatcher.namespaces().of(channel).delta
    }

    /// A member that joined at this position gets the past in its answer. It has the publication before the next one
    /// where that is the last of the past.
    fn begin_differences(
        &self,
        session: &Session,
        channel: &Channel,
        position: Position,
        past: &[Arc<Publication>],
    ) {
        let has_newest = past.last().is_some_and(|last| last.position == Some(position));
        let offset = position.offset + if has_newest { 1 } else { 2 };
        self.dispatcher.set_base(channel, session, Position { offset, ..position });
    }

    /// The past behind a place; `None` where no history of ours has that place, or the client may not read it.
    fn past_behind(
        &self,
        session: &Session,
        channel: &Channel,
        resume: ResumeFrom,
        wish: &Wish,
    ) -> Option<Past> {
        if !wish.is_by_server {
            self.may_recover(session, channel).ok()?;
        }
        let past = match resume.epoch {
            ResumeEpoch::Any => Past::Behind(resume.offset),
            ResumeEpoch::Is(epoch) => Past::Since(Position { epoch, offset: resume.offset }),
            ResumeEpoch::Foreign => {
                let mode = self.dispatcher.namespaces().of(channel).recovery;
                return (mode == RecoveryMode::Cache).then_some(Past::Newest(resume));
            }
        };
        Some(self.as_recovered(channel, past))
    }

    fn ask_as_wished(
        &self,
        session: &Arc<Session>,
        channel: &Channel,
        wish: &Wish,
        past: Option<Past>,
    ) -> Result<Option<Asked>, CommandError> {
        {
            let namespaces = self.dispatcher.namespaces();
            let namespace = namespaces.of(channel);
            match wish.grant {
                _ if wish.is_by_server => {}
                Some(_) => namespace.permits_name(channel)?,
                None => may_subscribe(namespace, session, channel)?,
            }
        }
        if wish.must_resume && wish.resume.is_some() && past.is_none() {
            return Err(CommandError::Unrecoverable);
        }
        self.ask_without_permission(session, channel)
    }
}

/// The time from now until then; zero where it is over.
pub(crate) fn time_until(then: SystemTime) -> std::time::Duration {
    then.duration_since(SystemTime::now()).unwrap_or_default()
}
