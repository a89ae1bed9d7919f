//! The hub's side of the receiving: an [`Inbound`](crate::session::inbound::Inbound) tells and asks the hub through it.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use arc_swap::ArcSwap;
use fanfare_core::{Limits, Liveness};

use crate::{
    delivery::dispatcher::Dispatcher,
    ending::goodbye::Goodbyes,
    metrics::HubMetrics,
    session::{
        commands::Commands,
        incomplete::{BufferBound, Buffered},
        publish_budget::PublishBudget,
        state::Session,
        traffic::Traffic,
        writer::Writer,
    },
};

/// The parts of the hub that all [`Inbound`](crate::session::inbound::Inbound)s share.
pub(crate) struct Intake {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) publish_budget: Arc<PublishBudget>,
    pub(crate) buffer_bound: Arc<BufferBound>,
    pub(crate) metrics: Arc<HubMetrics>,
    pub(crate) limits: Arc<ArcSwap<Limits>>,
    pub(crate) message_bytes: usize,
    pub(crate) commands: Arc<Commands>,
    pub(crate) writer: Arc<Writer>,
    pub(crate) goodbyes: Arc<Goodbyes>,
}

impl Intake {
    /// The second on the clock of a session's shard. The clock stands still while the node does.
    #[must_use]
    pub(crate) fn now(&self, session: &Session) -> u32 {
        self.dispatcher.now(session)
    }

    /// A read or a pong came from the client. It counts if the dialect takes it for a sign of life. Costs one store.
    pub(crate) fn heard(&self, session: &Session, sign: Liveness) {
        if sign == Liveness::Pong || session.dialect().liveness() == Liveness::AnyRead {
            session.last_activity.heard(self.now(session));
        }
    }

    /// Counts the client's messages and bytes. Called by one reader at a time.
    pub(crate) fn received(&self, session: &Session, traffic: Traffic) {
        session.traffic.received.add(traffic);
        self.metrics.received.add(traffic);
    }

    /// Whether a session may publish once more now. The reader asks before each message of a read. If the session may
    /// not, the reader keeps the rest until [`Intake::poll_may_publish`] is ready.
    #[must_use]
    pub(crate) fn may_publish(&self, session: &Session) -> bool {
        let budget = &self.publish_budget;
        session.flow().map_or_else(|| budget.allows(0, 0), |flow| flow.may_publish(budget))
    }

    /// Ready while a session may publish more. The reader waits for it before it reads. Meanwhile the client is not
    /// judged.
    pub(crate) fn poll_may_publish(&self, session: &Session, cx: &Context<'_>) -> Poll<()> {
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

    /// The reader waits for something else before it polls [`Intake::poll_may_publish`] again. Meanwhile the client is
    /// not judged.
    pub(crate) fn unread(&self, session: &Session) {
        session.last_activity.unread();
    }

    /// From now on the reader holds these bytes for a session. When the session ends, `reader` is woken to drop them.
    pub(crate) fn buffers(&self, session: &Arc<Session>, buffered: Buffered, reader: &Waker) {
        let Some(shard) = self.dispatcher.shard_of(session) else { return };
        let grown = shard.incomplete.set(session, buffered, reader, shard.now());
        let gauge = &self.metrics.incomplete;
        gauge.add(grown);
        if grown > 0 {
            self.buffer_bound.grown_to(gauge.get());
        }
    }

    /// The reader holds no bytes for a session any more.
    pub(crate) fn buffers_nothing(&self, session: &Session) {
        if let Some(shard) = self.dispatcher.shard_of(session) {
            self.metrics.incomplete.sub(shard.incomplete.remove(session));
        }
    }
}
