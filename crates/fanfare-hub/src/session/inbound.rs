//! The calls of the reader of a session's transport.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    delivery::dispatcher::Dispatcher,
    metrics::HubMetrics,
    session::{
        incomplete::{BufferBound, Buffered},
        publish_budget::PublishBudget,
        state::Session,
        traffic::Traffic,
    },
};

/// Takes the calls of all readers.
pub struct Inbound {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) publish_budget: Arc<PublishBudget>,
    pub(crate) buffer_bound: Arc<BufferBound>,
    pub(crate) metrics: Arc<HubMetrics>,
}

impl Inbound {
    /// The second that it is by the clock of a session's shard. It stands still while the node does.
    #[must_use]
    pub fn now(&self, session: &Session) -> u32 {
        self.dispatcher.now(session)
    }

    /// Bytes came from the client. Costs one store.
    pub fn heard(&self, session: &Session) {
        session.last_activity.heard(self.now(session));
    }

    /// Counts traffic from the client. Called by one reader at a time.
    pub fn received(&self, session: &Session, traffic: Traffic) {
        session.traffic.received.add(traffic);
        self.metrics.received.add(traffic);
    }

    /// Whether a session may publish one more now. The reader asks before each message. Where the session
    /// may not, the reader keeps the rest until [`Inbound::poll_may_publish`] is ready.
    #[must_use]
    pub fn may_publish(&self, session: &Session) -> bool {
        let budget = &self.publish_budget;
        session.flow().map_or_else(|| budget.allows(0, 0), |flow| flow.may_publish(budget))
    }

    /// Ready while a session may publish more. The reader waits for it before it reads, and meanwhile the client is
    /// not judged.
    pub fn poll_may_publish(&self, session: &Session, cx: &Context<'_>) -> Poll<()> {
        let budget = &self.publish_budget;
        let poll = match session.flow() {
            None if budget.allows(0, 0) => Poll::Ready(()),
            _ => session.flow_or_new().poll_may_publish(budget, &self.metrics, cx),
        };
        match poll {
            Poll::Ready(()) if session.last_activity.is_unread() => {
                session.last_activity.read(self.now(session));
            }
            Poll::Ready(()) => {}
            Poll::Pending => session.last_activity.unread(),
        }
        poll
    }

    /// The reader waits for something else before it asks again whether the session may publish. Meanwhile the client
    /// is not judged.
    pub fn unread(&self, session: &Session) {
        session.last_activity.unread();
    }

    /// From now on the reader holds this for a session. When the session ends, `reader` is woken to drop it.
    pub fn buffers(&self, session: &Arc<Session>, buffered: Buffered, reader: &Waker) {
        let Some(shard) = self.dispatcher.shard_of(session) else { return };
        let grown = shard.incomplete.set(session, buffered, reader, shard.now());
        let gauge = &self.metrics.incomplete;
        gauge.add(grown);
        if grown > 0 {
            self.buffer_bound.grown_to(gauge.get());
        }
    }

    /// The reader holds nothing for a session any more.
    pub fn buffers_nothing(&self, session: &Session) {
        if let Some(shard) = self.dispatcher.shard_of(session) {
            self.metrics.incomplete.sub(shard.incomplete.remove(session));
        }
    }
}
