//! Carries out what clients say of themselves: the connect, and later tokens.
//!
//! Invariants
//! - A session of a dialect with a connect command carries out nothing before its client has connected, and nothing
//!   after a connect failed.
//! - A client connects once. The channels that its token names are joined before it is answered, or it is not connected.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use fanfare_core::{
    Action, AuthError, Channel, ClientId, Command, CommandError, Disconnect, Hook, Identity, Limit, Reply,
    SubscribeError,
    command::{ClientToken, Connect, RequestId, ResumeFrom},
    hooks::{ConnectAnswer, ConnectQuestion},
    identity::{SubscriptionGrant, SubscriptionTerms},
    reply::{Connected, Subscription},
};
use futures_util::future::join_all;

use crate::{
    metrics::HubMetrics,
    session::{
        attendance::Attendance,
        hooking::{HookIdentity, Hooking},
        identities::Identities,
        phase::Phase,
        refusal::Refusal,
        resuming::time_until,
        state::Session,
        subscriptions::Subscriptions,
    },
};

/// See the head of this file.
pub(crate) struct Connecting {
    pub(crate) identities: Arc<Identities>,
    pub(crate) hooking: Arc<Hooking>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) attendance: Arc<Attendance>,
    pub(crate) metrics: Arc<HubMetrics>,
}

/// The channels to which the server subscribes a client that connects, and on which terms.
type Named = Vec<(Channel, SubscriptionTerms)>;

fn named_by_token(identity: &dyn Identity) -> Named {
    let channels = identity.subscriptions().iter();
    channels.map(|channel| (channel.clone(), identity.terms_of(channel))).collect()
}

/// Checks that a command comes where it may.
///
/// # Errors
/// It ends the session.
pub(crate) fn judge_order(session: &Session, command: &Command) -> Result<(), Disconnect> {
    let reason = match (session.phase(), matches!(command, Command::Connect(_))) {
        (Phase::New, true) | (Phase::Connected, false) => return Ok(()),
        (Phase::New | Phase::Connecting, false) => "the first command has to be the connect",
        (Phase::Connected | Phase::Connecting, true) => "a client connects once",
        (Phase::Failed, _) => "the connect failed: connect again over a new connection",
    };
    Err(Disconnect::BadRequest(reason.into()))
}

impl Connecting {
    /// Connects a client. The reply, and the channels whose held publications follow it.
    pub(crate) async fn connect(
        &self,
        session: &Arc<Session>,
        connect: Connect,
    ) -> (Result<Reply, Disconnect>, Vec<Channel>) {
        let id = connect.id;
        let connected = self.connected(session, connect).await;
        session.set_phase(if connected.is_ok() { Phase::Connected } else { Phase::Failed });
        match connected {
            Ok(connected) => {
                let channels = connected.subscriptions.iter().map(|(channel, _)| channel.clone()).collect();
                (Ok(Reply::Connected(Box::new(connected))), channels)
            }
            Err(refusal) => (refusal.answer(id), Vec::new()),
        }
    }

    async fn connected(&self, session: &Arc<Session>, connect: Connect) -> Result<Connected, Refusal> {
        let Connect { id, token, resume, data, name, version } = connect;
        let question = || {
            let channels = resume.iter().map(|(channel, _)| channel.clone()).collect();
            ConnectQuestion { data, name, version, channels }
        };
        let mut answer = ConnectAnswer::default();
        if let Some(token) = token {
            let identity = self.identities.identify(token.reveal()).await.map_err(|error| {
                if error.is_expired {
                    Refusal::Fails(CommandError::TokenExpired)
                } else {
                    Refusal::Ends(Disconnect::BadToken(error.reason))
                }
            })?;
            self.identities.replace(session, identity);
        } else if session.identity().is_none()
            && let Some(hooks) = self.hooking.of(Hook::Connect)
        {
            answer = hooks.connect(self.hooking.client(session), question()).await?;
            self.identities.replace_by_hook(session, Arc::new(HookIdentity::new(&answer)));
        }
        let identity = session.identity();
        let named = if session.is_by_hook() {
            answer.subscriptions
        } else {
            identity.as_deref().map(named_by_token).unwrap_or_default()
        };
        let subscriptions = self.subscribe_all(session, named, resume).await?;
        let expires_in = identity.as_deref().and_then(Identity::expires_at).map(time_until);
        Ok(Connected {
            id,
            client: self.client(session),
            expires_in: expires_in.filter(|_| !self.is_renewed_by_hook(session)),
            ping_interval: session.kind.heartbeat.ping_interval,
            subscriptions,
            fed_as: session.fed_as(),
            data: answer.data,
        })
    }

    /// Whether the backend is asked when the client's time is over: then the client has nothing to do.
    fn is_renewed_by_hook(&self, session: &Session) -> bool {
        session.is_by_hook() && self.hooking.of(Hook::Refresh).is_some()
    }

    /// Subscribes a session to the channels that its token names, or the backend: to all or to none.
    async fn subscribe_all(
        &self,
        session: &Arc<Session>,
        named: Named,
        resume: Vec<(Channel, ResumeFrom)>,
    ) -> Result<Vec<(Channel, Subscription)>, Refusal> {
        let mut seen = HashSet::new();
        let channels: Vec<_> =
            named.into_iter().filter(|(channel, _)| seen.insert(channel.clone())).collect();
        let most = self.subscriptions.limits.load().channels_per_connection;
        if channels.len() > most {
            return Err(self.too_many(most));
        }
        let resume: HashMap<_, _> = resume.into_iter().collect();
        let joining: Vec<_> = channels
            .into_iter()
            .map(|(channel, terms)| {
                let resume = resume.get(&channel).copied();
                self.subscriptions.subscribe_connecting(session, &channel, terms, resume)
            })
            .collect();
        let mut subscriptions = Vec::new();
        let mut refusal = None;
        for joined in join_all(joining).await {
            match joined {
                Ok(joined) => subscriptions.push(joined),
                Err(CommandError::TooManyChannels(most)) => refusal = Some(self.too_many(most)),
                Err(_) if refusal.is_some() => {}
                Err(_) => refusal = Some(CommandError::from(SubscribeError::Unavailable).into()),
            }
        }
        let Some(refusal) = refusal else { return Ok(subscriptions) };
        subscriptions.iter().for_each(|(channel, _)| self.subscriptions.unsubscribe(session, channel));
        Err(refusal)
    }

    fn too_many(&self, most: usize) -> Refusal {
        self.metrics.limit_hit(Limit::ChannelsPerConnection);
        Refusal::Ends(Disconnect::TooManyChannels { limit: most })
    }

    /// Takes a new token for a connection.
    pub(crate) async fn refresh(
        &self,
        session: &Arc<Session>,
        id: RequestId,
        token: &ClientToken,
    ) -> Result<Reply, Disconnect> {
        if self.is_renewed_by_hook(session) {
            let reason = "the backend says how long this client may stay: do not `refresh`";
            return Err(Disconnect::BadRequest(reason.into()));
        }
        let refused = |error: AuthError| {
            if error.is_expired { Disconnect::Expired } else { Disconnect::BadToken(error.reason) }
        };
        let identity = self.identities.identify(token.reveal()).await.map_err(refused)?;
        if user(session.identity().as_deref()) != user(Some(&*identity)) {
            return Err(Disconnect::BadToken("the new token is for another user".into()));
        }
        let expires_in = identity.expires_at().map(time_until);
        self.identities.replace(session, identity);
        Ok(Reply::Refreshed { id, client: self.client(session), expires_in })
    }

    /// Takes a new token for a subscription.
    pub(crate) async fn refresh_subscription(
        &self,
        session: &Session,
        id: RequestId,
        channel: &Channel,
        token: &ClientToken,
    ) -> Result<Reply, Refusal> {
        if !session.has_any(|joined| joined == channel) {
            return Err(CommandError::NotPermitted(Action::Subscribe).into());
        }
        let SubscriptionTerms { expires_at, info, .. } = self.grant(session, channel, token).await?.terms;
        self.subscriptions.extend(session, channel, expires_at, info);
        Ok(Reply::SubscriptionRefreshed { id, expires_in: expires_at.map(time_until) })
    }

    /// The grant of a token to a session in a channel.
    pub(crate) async fn grant(
        &self,
        session: &Session,
        channel: &Channel,
        token: &ClientToken,
    ) -> Result<SubscriptionGrant, Refusal> {
        let grant = self.identities.authorize(token.reveal()).await.map_err(|error| {
            if error.is_expired { CommandError::TokenExpired } else { CommandError::BadToken(error.reason) }
        })?;
        let is_of = |id: &String| *id == self.client(session).to_string();
        let another = if grant.channel != *channel {
            "channel"
        } else if grant.user.as_deref().filter(|id| !id.is_empty()) != user(session.identity().as_deref()) {
            "user"
        } else if !grant.client.as_ref().is_none_or(is_of) {
            "client"
        } else {
            return Ok(grant);
        };
        let reason = format!("the token of a subscription is for another {another}");
        Err(Refusal::Ends(Disconnect::BadToken(reason.into())))
    }

    fn client(&self, session: &Session) -> ClientId {
        self.attendance.client(session)
    }
}

/// The user of an identity. An empty id does not name a user.
fn user(identity: Option<&dyn Identity>) -> Option<&str> {
    identity.and_then(Identity::subject).filter(|id| !id.is_empty())
}
