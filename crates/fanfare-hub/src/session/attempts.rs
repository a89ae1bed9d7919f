//! The attempts of commands that wait for the broker, for a history or for keys.

use std::sync::Arc;

use fanfare_core::{
    Channel, Command, CommandError, Disconnect, Limit, Reply,
    command::{RequestId, SubscribeOptions},
    reply::Subscription,
};
use futures_util::future::Either;
use smallvec::{SmallVec, smallvec};

use crate::{
    metrics::HubMetrics,
    session::{
        connecting::{Connecting, Refusal},
        pending::{Attempt, Attempted, Lane},
        reading::{Question, Reading},
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
    pub(crate) metrics: Arc<HubMetrics>,
}

impl Attempts {
    /// Subscribes a session. Without a token for the channel the broker is asked now, and with one as soon as the token
    /// is verified.
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
        let SubscribeOptions { token, resume, must_resume, joins, filter } = *options.unwrap_or_default();
        let wish = Wish { resume, must_resume, joins, filter, ..Wish::default() };
        let subscriptions = self.subscriptions.clone();
        let subscribed = match token {
            None => {
                let asked = subscriptions.subscribe_as_wished(session, &channel, wish);
                Either::Left(async move { asked.await.map_err(Refusal::from) })
            }
            Some(token) => {
                let (connecting, session, channel) =
                    (self.connecting.clone(), session.clone(), channel.clone());
                Either::Right(async move {
                    let grant = Some(connecting.grant(&session, &channel, &token).await?);
                    let wish = Wish { grant, ..wish };
                    Ok(subscriptions.subscribe_as_wished(&session, &channel, wish).await?)
                })
            }
        };
        let metrics = self.metrics.clone();
        Box::pin(async move {
            match subscribed.await {
                Ok((channel, subscription)) => Attempted {
                    lane: Some(channel.clone()),
                    held: smallvec![channel.clone()],
                    answer: Ok(Reply::Subscribed { id, channel, subscription }),
                },
                Err(refusal) => {
                    if let Refusal::Fails(error) = &refusal {
                        note(&metrics, error);
                    }
                    answered(Some(channel), refusal.answer(id))
                }
            }
        })
    }

    /// Subscribes a session whose client gets nothing but publications, from the confirmation on.
    fn subscribe_plainly(&self, session: &Arc<Session>, id: RequestId, channel: Channel) -> Attempt {
        let subscribed = self.subscriptions.subscribe(session, &channel);
        let metrics = self.metrics.clone();
        Box::pin(async move {
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
            answered(Some(channel), Ok(reply))
        })
    }

    /// Carries out a command that shows a token, or reads. Nothing is begun before the future is polled.
    pub(crate) fn of(&self, session: &Arc<Session>, command: Command) -> Attempt {
        let (connecting, reading, session) = (self.connecting.clone(), self.reading.clone(), session.clone());
        Box::pin(async move {
            let (lane, id) = (command.channel().cloned(), command.id());
            let answer = match command {
                Command::Connect(connect) => {
                    let (answer, held) = connecting.connect(&session, *connect).await;
                    return Attempted { lane, answer, held: held.into() };
                }
                Command::Refresh { id, token } => connecting.refresh(&session, id, &token).await,
                Command::RefreshSubscription { id, channel, token } => {
                    let refreshed = connecting.refresh_subscription(&session, id, &channel, &token).await;
                    refreshed.or_else(|refusal| refusal.answer(id))
                }
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
            answered(lane, answer)
        })
    }
}

fn answered(lane: Lane, answer: Result<Reply, Disconnect>) -> Attempted {
    Attempted { lane, answer, held: SmallVec::new() }
}

fn told(id: RequestId, result: Result<Reply, CommandError>) -> Result<Reply, Disconnect> {
    Ok(result.unwrap_or_else(|error| Reply::Failed { id, error }))
}

fn note(metrics: &HubMetrics, error: &CommandError) {
    if matches!(error, CommandError::TooManyChannels(_)) {
        metrics.limit_hit(Limit::ChannelsPerConnection);
    }
}
