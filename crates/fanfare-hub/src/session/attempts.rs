//! The attempts of commands that wait for the broker, for a history, for keys or for the operator's backend.

use std::sync::Arc;

use fanfare_core::{
    Channel, Command, CommandError, Disconnect, Hook, Limit, Payload, Reply,
    command::{RequestId, SubscribeOptions},
    hooks::SubscribeQuestion,
    reply::Subscription,
};
use futures_util::future::Either;
use smallvec::{SmallVec, smallvec};

use crate::{
    metrics::HubMetrics,
    session::{
        connecting::Connecting,
        granted::Grant,
        hooking::Hooking,
        pending::{Attempt, Attempted, OrderingKey},
        reading::{Question, Reading},
        refusal::Refusal,
        resuming::Wish,
        state::Session,
        subscribed::Subscribed,
        subscriptions::Subscriptions,
    },
};

/// Makes the attempts.
pub(crate) struct Attempts {
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) connecting: Arc<Connecting>,
    pub(crate) reading: Arc<Reading>,
    pub(crate) hooking: Arc<Hooking>,
    pub(crate) metrics: Arc<HubMetrics>,
}

impl Attempts {
    /// Subscribes a session. Without a token for the channel the broker is asked now, and with one as soon as the token
    /// is verified. In a namespace whose backend says who may subscribe, a client without a token waits for the backend.
    pub(crate) fn subscribe(
        &self,
        session: &Arc<Session>,
        id: RequestId,
        channel: Channel,
        options: Option<Box<SubscribeOptions>>,
    ) -> Attempt {
        if session.kind.connects.is_none() && options.is_none() {
            return self.subscribe_plainly(session, id, channel);
        }
        let SubscribeOptions { token, resume, must_resume, joins, filter, delta, data } =
            *options.unwrap_or_default();
        let wish = Wish { resume, must_resume, joins, filter, delta, ..Wish::default() };
        let subscriptions = self.subscriptions.clone();
        let subscribed = match token {
            None if subscriptions.dispatcher.namespaces().of(&channel).subscribe_hook => {
                Either::Right(Either::Right(self.subscribe_by_hook(session, channel.clone(), wish, data)))
            }
            None => {
                let asked = subscriptions.subscribe_as_wished(session, &channel, wish);
                Either::Left(async move { asked.await.map_err(Refusal::from) })
            }
            Some(token) => {
                let (connecting, session, channel) =
                    (self.connecting.clone(), session.clone(), channel.clone());
                Either::Right(Either::Left(async move {
                    let grant = connecting.grant(&session, &channel, &token).await?;
                    let given = Some(Grant::of(&grant.terms));
                    Ok(subscriptions
                        .subscribe_as_granted(&session, &channel, wish, grant.terms, given)
                        .await?)
                }))
            }
        };
        let metrics = self.metrics.clone();
        Box::pin(async move {
            match subscribed.await {
                Ok((channel, subscription)) => Attempted {
                    key: OrderingKey::Channel(channel.clone()),
                    held: smallvec![channel.clone()],
                    answer: Ok(Some(Reply::Subscribed { id, channel, subscription })),
                },
                Err(refusal) => {
                    if let Refusal::Fails(error) = &refusal {
                        note(&metrics, error);
                    }
                    answered(OrderingKey::Channel(channel), refusal.answer(id))
                }
            }
        })
    }

    /// Subscribes a session as the backend permits, which is asked instead of the namespace. The rules of the channel's
    /// name hold too.
    fn subscribe_by_hook(
        &self,
        session: &Arc<Session>,
        channel: Channel,
        wish: Wish,
        data: Option<Payload>,
    ) -> impl Future<Output = Result<(Channel, Subscription), Refusal>> + Send + use<> {
        let (hooking, subscriptions) = (self.hooking.clone(), self.subscriptions.clone());
        let session = session.clone();
        async move {
            channel.permits(session.identity().as_deref())?;
            let hooks = hooking.of(Hook::Subscribe).ok_or_else(Refusal::unavailable)?;
            let question = SubscribeQuestion { channel: channel.clone(), data };
            let terms = hooks.subscribe(hooking.client(&session), question).await?;
            let grant = Some(Grant::of(&terms).by_backend());
            let (channel, mut subscription) =
                subscriptions.subscribe_as_granted(&session, &channel, wish, terms, grant).await?;
            if hooking.of(Hook::SubRefresh).is_some() {
                // The backend is asked again: the client has nothing to do.
                subscription.expires_in = None;
            }
            Ok((channel, subscription))
        }
    }

    /// Subscribes a session whose client gets nothing but publications, from the confirmation on.
    fn subscribe_plainly(&self, session: &Arc<Session>, id: RequestId, channel: Channel) -> Attempt {
        let subscribed = self.subscriptions.subscribe(session, &channel);
        let metrics = self.metrics.clone();
        Box::pin(async move {
            let key = OrderingKey::Channel(channel);
            let reply = match subscribed.await {
                Ok(Subscribed { channel, position }) => {
                    let subscription = Subscription { position, ..Subscription::default() };
                    Reply::Subscribed { id, channel, subscription }
                }
                Err(error) => {
                    note(&metrics, &error);
                    Reply::Failed { id, error }
                }
            };
            answered(key, Ok(reply))
        })
    }

    /// Carries out a command that shows a token, or reads. Nothing is begun before the future is polled.
    pub(crate) fn of(&self, session: &Arc<Session>, command: Command) -> Attempt {
        let (connecting, reading) = (self.connecting.clone(), self.reading.clone());
        let (hooking, session) = (self.hooking.clone(), session.clone());
        Box::pin(async move {
            let (key, id) = (OrderingKey::of(&command), command.id());
            let answer = match command {
                Command::Connect(connect) => {
                    let (answer, held) = connecting.connect(&session, *connect).await;
                    return Attempted { key, answer: answer.map(Some), held: held.into() };
                }
                Command::Refresh { id, token } => connecting.refresh(&session, id, &token).await,
                Command::RefreshSubscription { id, channel, token } => {
                    let refreshed = connecting.refresh_subscription(&session, id, &channel, &token).await;
                    refreshed.or_else(|refusal| refusal.answer(id))
                }
                Command::Rpc { id, method, data } => call(&hooking, &session, id, method, data).await,
                Command::History { id, channel, query } => {
                    told(id, reading.history(&session, id, &channel, query).await)
                }
                Command::Presence { id, channel } => {
                    told(id, reading.presence(&session, id, &channel, Question::Who).await)
                }
                Command::PresenceStats { id, channel } => {
                    told(id, reading.presence(&session, id, &channel, Question::HowMany).await)
                }
                Command::Subscribe { .. } | Command::Unsubscribe { .. } | Command::Publish { .. } => {
                    told(id, Err(CommandError::BadRequest("this command does not read")))
                }
            };
            answered(key, answer)
        })
    }
}

fn answered(key: OrderingKey, answer: Result<Reply, Disconnect>) -> Attempted {
    Attempted { key, answer: answer.map(Some), held: SmallVec::new() }
}

async fn call(
    hooking: &Hooking,
    session: &Session,
    id: RequestId,
    method: String,
    data: Option<Payload>,
) -> Result<Reply, Disconnect> {
    let Some(hooks) = hooking.of(Hook::Rpc) else { return told(id, Err(CommandError::NoCalls)) };
    match hooks.rpc(hooking.client(session), method, data).await {
        Ok(data) => Ok(Reply::Rpc { id, data }),
        Err(refusal) => Refusal::from(refusal).answer(id),
    }
}

fn told(id: RequestId, result: Result<Reply, CommandError>) -> Result<Reply, Disconnect> {
    Ok(result.unwrap_or_else(|error| Reply::Failed { id, error }))
}

fn note(metrics: &HubMetrics, error: &CommandError) {
    if matches!(error, CommandError::TooManyChannels(_)) {
        metrics.limit_hit(Limit::ChannelsPerConnection);
    }
}
