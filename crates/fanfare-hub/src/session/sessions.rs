//! The sessions of a node: how they begin, and how they change their transports.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use fanfare_core::{Identity, Limits, SessionId, Sink, Transport};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use crate::{
    delivery::dispatcher::Dispatcher,
    metrics::HubMetrics,
    session::{
        detaching::Detaching,
        identities::Identities,
        state::{Kind, Peer, Session},
        writer::Writer,
    },
    upkeep::budget::Budget,
};

/// Opens sessions, and puts them on transports.
pub struct Sessions {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) writer: Arc<Writer>,
    pub(crate) identities: Arc<Identities>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) limits: Arc<ArcSwap<Limits>>,
    pub(crate) metrics: Arc<HubMetrics>,
    pub(crate) tasks: TaskTracker,
    /// The number of the next session, from 1.
    pub(crate) next: AtomicU64,
}

impl Sessions {
    /// All sessions at this moment.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.dispatcher.sessions()
    }

    /// Marks a handshake that has begun: a shutdown waits until the token is dropped. Taken before
    /// [`Sessions::open`], so that a client that has its answer is never cut off between the two.
    pub fn handshake(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Begins a session without a transport: messages to it wait. It is not a connection before
    /// [`Sessions::admit`].
    #[must_use]
    pub fn open(&self, kind: &Arc<Kind>, peer: Peer) -> Arc<Session> {
        let id = SessionId(self.next.fetch_add(1, Ordering::Relaxed));
        let (index, shard) = self.dispatcher.shard_for(id);
        let session = Arc::new(Session::new(id, index, kind.clone(), peer, shard.now()));
        shard.add(session.clone());
        if kind.connects.is_some() {
            shard.wheel.awaits_connect(&session, self.limits.load().handshake);
        }
        session
    }

    /// Counts a session as a connection: its client is about to be told that the handshake succeeded. `false` where
    /// the session has ended meanwhile.
    #[must_use]
    pub fn admit(&self, session: &Session) -> bool {
        // Under the lock, as the ending is: each connection is opened and closed once.
        let channels = session.channels.lock();
        if channels.ended.is_some() {
            return false;
        }
        session.traffic.begin();
        self.metrics.connections.opened(session.dialect(), session.kind.transport);
        true
    }

    /// Puts a session on a transport and sends the messages that waited. Where the session has a transport, or its last
    /// one was aborted, the sink is aborted.
    pub fn attach(&self, session: &Arc<Session>, transport: &'static dyn Transport, sink: Arc<dyn Sink>) {
        let sent = session.outbound.attach(transport, sink, &self.budget);
        self.writer.after_send(session, sent);
    }

    /// Takes a session off its transport: later messages wait for the next [`Sessions::attach`]. That must
    /// not come before the future returned has ended, else the order is lost.
    ///
    /// A session that has ended stays on its transport: the goodbye goes out there.
    pub fn detach(&self, session: &Arc<Session>) -> Detaching {
        Detaching::new(session, &self.budget)
    }

    /// Replaces the identity of a session's client. The session ends when the new one expires.
    pub fn identify(&self, session: &Arc<Session>, identity: Arc<dyn Identity>) {
        self.identities.replace(session, identity);
    }

    /// Runs the task that reads a session's transport. A shutdown waits for it.
    pub fn spawn(&self, reader: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(reader);
    }
}
