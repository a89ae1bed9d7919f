//! Publishes for clients and for the operator.

use std::sync::Arc;

use fanfare_core::{
    Broker, Channel, Payload, Publish, PublishError, Reply, Taken, TraceContext, Tracer, command::RequestId,
    dialect::Answer, reply::Action,
};
use tokio::sync::oneshot;

use crate::{
    delivery::{dispatcher::Dispatcher, traced::hand_over},
    ending::goodbye::Goodbyes,
    metrics::HubMetrics,
    session::{
        attendance::Attendance, flow::Outcome, permission::permit, publish_budget::PublishBudget,
        state::Session, writer::Writer,
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
    pub(crate) metrics: Arc<HubMetrics>,
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
            (namespace.publish, namespace.retention)
        };
        if let Err(error) = permit(access, session, &channel, Action::Publish) {
            return self.writer.reply(session, &Reply::Failed { id, error });
        }
        let flow = session.flow_or_new().clone();
        let bytes = payload.len();
        let Some(place) = flow.begin(bytes, &self.budget) else { return };
        let client = session.dialect().names_publisher().then(|| self.attendance.entry(&channel, session));
        let mut publish =
            Publish::new(channel, payload).by(session.id, Some(flow.order.clone())).kept(retention);
        if let Some(client) = client {
            publish = publish.published_by(client);
        }
        let (publisher, session) = (self.clone(), session.clone());
        let done = move |result| {
            let outcome = publisher.answer(&session, id, result);
            if let Some(verdict) = flow.end(place, bytes, outcome, &publisher.budget) {
                publisher.goodbyes.end(&session, &verdict.disconnect);
                if session.cannot_be_told() {
                    publisher.metrics.untold.inc_by(verdict.failed);
                }
                // The failure is told: a task that waits for the answers may now end the session.
                flow.said();
            }
        };
        hand_over(&*self.broker, self.tracer.as_deref(), publish, None, Box::new(done));
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
