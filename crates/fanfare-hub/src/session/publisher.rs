//! Publishes for clients and for the operator.

use std::sync::Arc;

use fanfare_core::{
    Action, Broker, Channel, Hook, Payload, Publish, PublishError, Reply, Taken, TraceContext, Tracer,
    command::RequestId, dialect::Answer,
};
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::{
    delivery::{dispatcher::Dispatcher, traced::hand_over},
    ending::goodbye::Goodbyes,
    metrics::HubMetrics,
    session::{
        attendance::Attendance,
        flow::{Flow, Outcome},
        hooking::Hooking,
        pending::{Attempt, Attempted, OrderingKey},
        permission::permit,
        publish_budget::PublishBudget,
        refusal::Refusal,
        state::Session,
        writer::Writer,
    },
};

/// Hands publishes to the broker, and answers them.
pub struct Publisher {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) broker: Arc<dyn Broker>,
    /// `None` where nothing is traced.
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
    pub(crate) budget: Arc<PublishBudget>,
    pub(crate) writer: Arc<Writer>,
    pub(crate) goodbyes: Arc<Goodbyes>,
    pub(crate) attendance: Arc<Attendance>,
    pub(crate) hooking: Arc<Hooking>,
    pub(crate) metrics: Arc<HubMetrics>,
}

/// A publish that has begun.
struct Begun {
    id: RequestId,
    /// Its place in the flow.
    place: u64,
    /// The bytes that the client sent.
    bytes: usize,
    flow: Arc<Flow>,
}

impl Publisher {
    /// Runs `work`. The publications that it delivers at once are written out together afterwards.
    pub fn gather<T>(&self, work: impl FnOnce() -> T) -> T {
        self.dispatcher.gather(work)
    }

    /// Publishes for a session. The client is answered when the broker has answered. For a session that has ended
    /// it does nothing, unless the client was sent away and its transport is still read
    /// ([`Session::is_listened_to`]).
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
        session.last_activity.message(self.dispatcher.now(session));
        let (access, retention) = {
            let namespaces = self.dispatcher.namespaces();
            let namespace = namespaces.of(&channel);
            (namespace.permits_name(&channel).map(|()| namespace.publish), namespace.retention)
        };
        let permitted = access.and_then(|access| permit(access, session, &channel, Action::Publish));
        if let Err(error) = permitted {
            return self.writer.reply(session, &Reply::Failed { id, error });
        }
        let flow = session.flow_or_new().clone();
        let bytes = payload.len();
        let Some(place) = flow.begin(bytes, &self.budget) else { return };
        let publish = Publish::new(channel, payload).kept(retention);
        self.hand(session, Begun { id, place, bytes, flow }, publish);
    }

    /// Hands a publish that has begun to the broker. The client is answered when the broker has answered.
    #[expect(clippy::inline_always, reason = "a publish is moved, not copied; counted by `publish::one`")]
    #[inline(always)]
    fn hand(self: &Arc<Self>, session: &Arc<Session>, begun: Begun, publish: Publish) {
        let Begun { id, place, bytes, flow } = begun;
        let mut publish = publish.by(session.id, Some(flow.order.clone()));
        if session.dialect().names_publisher() {
            let client = self.attendance.entry(&publish.channel, session);
            publish = publish.published_by(client);
        }
        let (publisher, session) = (self.clone(), session.clone());
        let done = move |result| {
            let outcome = publisher.answer(&session, id, result);
            publisher.end(&session, &flow, place, bytes, outcome);
        };
        hand_over(&*self.broker, self.tracer.as_deref(), publish, None, Box::new(done));
    }

    /// Whether the backend is asked about a session's publishes in a channel.
    pub(crate) fn asks(&self, session: &Session, channel: &Channel) -> bool {
        session.kind.connects.is_some() && self.dispatcher.namespaces().of(channel).publish_hook
    }

    /// Publishes for a session what the backend permits, which is asked instead of the namespace. The publish counts as
    /// unanswered from now on. `None`: the session is not listened to any more.
    pub(crate) fn publish_by_hook(
        self: &Arc<Self>,
        session: &Arc<Session>,
        id: RequestId,
        channel: Channel,
        payload: Payload,
    ) -> Option<Attempt> {
        if !session.is_listened_to() {
            return None;
        }
        session.last_activity.message(self.dispatcher.now(session));
        let bytes = payload.len();
        let flow = session.flow_or_new().clone();
        let place = flow.begin(bytes, &self.budget)?;
        let (publisher, session) = (self.clone(), session.clone());
        Some(Box::pin(async move {
            let key = OrderingKey::Channel(channel.clone());
            let permitted = publisher.ask(&session, &channel, payload).await;
            let answer = match permitted {
                Ok(publish) if session.is_listened_to() => {
                    publisher.hand(&session, Begun { id, place, bytes, flow }, publish);
                    return Attempted { key, answer: Ok(None), held: SmallVec::new() };
                }
                Ok(_) => Ok(None),
                Err(refusal) => refusal.answer(id).map(Some),
            };
            publisher.end(&session, &flow, place, bytes, Outcome::Told);
            Attempted { key, answer, held: SmallVec::new() }
        }))
    }

    async fn ask(&self, session: &Session, channel: &Channel, payload: Payload) -> Result<Publish, Refusal> {
        let hooks = self.hooking.of(Hook::Publish).ok_or_else(Refusal::unavailable)?;
        let client = self.hooking.client(session);
        let answer = hooks.publish(client, channel.clone(), payload.clone()).await?;
        let mut publish = Publish::new(channel.clone(), answer.data.unwrap_or(payload));
        if !answer.tags.is_empty() {
            publish = publish.tagged(answer.tags);
        }
        let retention = self.dispatcher.namespaces().of(channel).retention;
        Ok(publish.kept(retention.filter(|_| !answer.skip_history)))
    }

    /// A publish of a session was answered.
    #[inline]
    fn end(&self, session: &Arc<Session>, flow: &Flow, place: u64, bytes: usize, outcome: Outcome) {
        if let Some(verdict) = flow.end(place, bytes, outcome, &self.budget) {
            self.goodbyes.end(session, &verdict.disconnect);
            if session.cannot_be_told() {
                self.metrics.untold.inc_by(verdict.failed);
            }
            // The failure is told: a task that waits for the answers may now end the session.
            flow.said();
        }
    }

    /// Tells a client the result of its publish, where the dialect has words for it.
    fn answer(&self, session: &Arc<Session>, id: RequestId, result: Result<Taken, PublishError>) -> Outcome {
        let failed = result.is_err();
        let reply = match result {
            Ok(_) => Reply::Published { id },
            Err(error) => Reply::Failed { id, error: error.into() },
        };
        match session.dialect().reply(&reply) {
            Answer::End(disconnect) if failed => Outcome::Ends(disconnect),
            answer => {
                if failed && session.cannot_be_told() {
                    self.metrics.untold.inc();
                }
                self.writer.answer(session, answer);
                if failed { Outcome::Told } else { Outcome::Taken }
            }
        }
    }

    /// Publishes for the operator: the channel's namespace is not asked for permission. It says how long the
    /// publication is kept, unless `skip_history` is set. `parent` is the caller's span.
    ///
    /// # Errors
    /// The broker's answer.
    pub async fn publish_from_server(
        &self,
        publish: Publish,
        parent: Option<TraceContext>,
        skip_history: bool,
    ) -> Result<Taken, PublishError> {
        let (answer, answered) = oneshot::channel();
        let retention = self.dispatcher.namespaces().of(&publish.channel).retention;
        let publish = publish.kept(retention.filter(|_| !skip_history));
        let done = move |result| drop(answer.send(result));
        hand_over(&*self.broker, self.tracer.as_deref(), publish, parent, Box::new(done));
        answered.await.unwrap_or(Err(PublishError::Unknown))
    }
}
