//! Carries out what clients and the operator ask for.
//!
//! Invariant: a session joins a channel after the broker confirmed it, and is answered after it joined.

use std::sync::Arc;

use fanfare_core::{
    Access, Channel, Command, CommandError, Payload, Publish, PublishError, Reply, SubscribeError, Taken,
    TraceContext,
    command::{Action, RequestId},
    dialect::Answer,
};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    hub::Hub,
    metrics::Limit,
    session::{flow::Outcome, state::Session},
};

impl Hub {
    /// Runs `work`; the publications that it brings at once are written out together when it is done.
    pub fn gather<T>(&self, work: impl FnOnce() -> T) -> T {
        self.dispatcher().gather(work)
    }

    /// Carries out one command and sends its answer. Publishes do not wait for the broker; the others do.
    pub async fn execute(self: &Arc<Self>, session: &Arc<Session>, command: Command) {
        let reply = match command {
            Command::Publish { id, channel, payload } => return self.publish(session, id, channel, payload),
            Command::Subscribe { id, channel } => match self.subscribe(session, &channel).await {
                Ok(channel) => Reply::Subscribed { id, channel },
                Err(error) => {
                    if matches!(error, CommandError::TooManyChannels(_)) {
                        self.metrics().limit_hit(Limit::ChannelsPerConnection);
                    }
                    Reply::Failed { id, error }
                }
            },
            Command::Unsubscribe { id, channel } => {
                self.unsubscribe(session, &channel);
                Reply::Unsubscribed { id, channel }
            }
        };
        self.answer(session, &reply);
    }

    /// Publishes for a session. The answer is sent when the broker's is in. For one that has ended it does nothing,
    /// unless it was sent away and its transport is still read ([`Session::is_listened_to`]).
    pub fn publish(
        self: &Arc<Self>,
        session: &Arc<Session>,
        id: RequestId,
        channel: Channel,
        payload: Payload,
    ) {
        if !session.is_listened_to() {
            return;
        }
        session.last_activity.message(self.now(session));
        let access = self.namespaces().of(&channel).publish;
        if let Err(error) = permit(access, session, &channel, Action::Publish) {
            return self.answer(session, &Reply::Failed { id, error });
        }
        let flow = session.flow_or_new().clone();
        let bytes = payload.len();
        let Some(place) = flow.begin(bytes, &self.publish_budget) else { return };
        let publish = Publish::new(channel, payload).by(session.id, Some(flow.order.clone()));
        let (hub, session) = (self.clone(), session.clone());
        let done = move |result| {
            let outcome = hub.answer_publish(&session, id, result);
            if let Some(verdict) = flow.end(place, bytes, outcome, &hub.publish_budget) {
                hub.end(&session, &verdict.disconnect);
                if session.cannot_be_told() {
                    hub.metrics().untold.inc_by(verdict.failed);
                }
                // Whoever waits for the answers may now end the session: what failed is said.
                flow.said();
            }
        };
        self.hand_over(publish, None, Box::new(done));
    }

    /// Says what became of a publish, where the dialect has words for it.
    fn answer_publish(
        self: &Arc<Self>,
        session: &Arc<Session>,
        id: RequestId,
        result: Result<Taken, PublishError>,
    ) -> Outcome {
        let failed = result.is_err();
        let reply = match result {
            Ok(_) => Reply::Published { id },
            Err(error) => Reply::Failed { id, error: error.into() },
        };
        match session.dialect().reply(&reply) {
            Answer::End(disconnect) if failed => Outcome::Ends(disconnect),
            answer => {
                if failed && session.cannot_be_told() {
                    self.metrics().untold.inc();
                }
                self.act(session, answer);
                if failed { Outcome::Told } else { Outcome::Taken }
            }
        }
    }

    /// Publishes for the operator: no namespace is asked. `parent` is the span of who asked for it.
    ///
    /// # Errors
    /// What the broker said of it.
    pub async fn publish_from_server(
        &self,
        channel: Channel,
        payload: Payload,
        parent: Option<TraceContext>,
    ) -> Result<Taken, PublishError> {
        let (answer, answered) = oneshot::channel();
        let publish = Publish::new(channel, payload);
        let done = move |result| drop(answer.send(result));
        self.hand_over(publish, parent, Box::new(done));
        answered.await.unwrap_or(Err(PublishError::Unknown))
    }

    /// Subscribes a session: every publication that the broker accepts after this returned will reach it. For one
    /// that has ended it does nothing. The channel returned is the one that all who hold it share: keep that, not a
    /// copy for each connection.
    ///
    /// # Errors
    /// The subscription does not stand, and why.
    pub async fn subscribe(
        &self,
        session: &Arc<Session>,
        channel: &Channel,
    ) -> Result<Channel, CommandError> {
        permit(self.namespaces().of(channel).subscribe, session, channel, Action::Subscribe)?;
        let limits = self.limits();
        let most = limits.channels_per_connection;
        if !session.subscriptions.lock().wants(channel, most)? {
            return Ok(channel.clone());
        }
        let (guard, confirmed) = self.interest.acquire(channel);
        match timeout(limits.handshake, confirmed).await {
            Ok(confirmed) => confirmed?,
            Err(_) => return Err(SubscribeError::Unavailable.into()),
        }
        let mut subscriptions = session.subscriptions.lock();
        // Meanwhile the session may have ended, or got the channel by another command.
        if !subscriptions.wants(channel, most)? {
            return Ok(channel.clone());
        }
        let channel = guard.keep();
        subscriptions.channels.push(channel.clone());
        self.dispatcher().join(&channel, session);
        Ok(channel)
    }

    /// Ends a subscription. Where there is none it does nothing.
    pub fn unsubscribe(&self, session: &Session, channel: &Channel) {
        let mut subscriptions = session.subscriptions.lock();
        let Some(at) = subscriptions.channels.iter().position(|found| found == channel) else { return };
        let channel = subscriptions.channels.swap_remove(at);
        // Under the lock, as the joining is: else it could undo a later one.
        self.dispatcher().leave(&channel, session);
        drop(subscriptions);
        self.interest.release(&channel);
    }

    fn answer(self: &Arc<Self>, session: &Arc<Session>, reply: &Reply) {
        self.act(session, session.dialect().reply(reply));
    }

    fn act(self: &Arc<Self>, session: &Arc<Session>, answer: Answer) {
        match answer {
            Answer::Nothing => {}
            Answer::Send(message) => self.send(session, message),
            Answer::End(disconnect) => self.end(session, &disconnect),
        }
    }
}

/// Whether a namespace lets a session's client do a thing.
fn permit(access: Access, session: &Session, channel: &Channel, action: Action) -> Result<(), CommandError> {
    match (access, &session.identity) {
        (Access::Anonymous, _) => Ok(()),
        (Access::Token, Some(identity)) if identity.may_use(channel) => Ok(()),
        (Access::Token, Some(_)) => Err(CommandError::NotGranted(action)),
        (Access::Token, None) => Err(CommandError::NeedsToken(action)),
        (Access::Server, _) => Err(CommandError::NotPermitted(action)),
    }
}
