//! The sessions of a node: how they begin, and what is sent to them. What they ask for is carried out in `commands.rs`,
//! and how they end is in `goodbye.rs`.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use fanfare_core::{
    Broker, CriticalTasks, Disconnect, Limits, Message, Namespaces, Ping, SessionId, Sink, Tracer, Transport,
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use crate::{
    delivery::dispatcher::Dispatcher,
    metrics::HubMetrics,
    session::{
        incomplete::Bound,
        interest::Interest,
        link::{Draining, Left},
        publish_budget::PublishBudget,
        state::{Kind, Peer, Session},
        traffic::Traffic,
    },
    upkeep::{
        budget::Budget,
        stall::{Report, Stall},
    },
};

/// The sessions of this node, and what they may do.
pub struct Hub {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) broker: Arc<dyn Broker>,
    /// `None` where nothing is traced.
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
    pub(crate) limits: ArcSwap<Limits>,
    /// Of the limits, what never changes: the broker has it too.
    pub(crate) message_bytes: usize,
    pub(crate) publish_budget: PublishBudget,
    pub(crate) incomplete: Bound,
    pub(crate) budget: Arc<Budget>,
    pub(crate) metrics: Arc<HubMetrics>,
    pub(crate) interest: Interest,
    pub(crate) next_session: AtomicU64,
    pub(crate) tasks: TaskTracker,
    pub(crate) report: Report,
    /// What all clients are told since a drain began.
    pub(crate) leaving: OnceLock<Disconnect>,
    /// Its shards' ticks and heartbeats, and what keeps the bounds of memory.
    pub(crate) critical_tasks: CriticalTasks,
}

impl Hub {
    /// Ends if a shard's tick or heartbeat has, or what keeps the bounds of memory, which they never do: sessions get
    /// nothing any more, or too much is kept for them.
    pub async fn failed(&self) {
        self.critical_tasks.ended().await;
    }

    /// The bounds that it keeps at this moment.
    #[must_use]
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    /// [`Limits::message_bytes`], at the price of a load.
    #[must_use]
    pub fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> &HubMetrics {
        &self.metrics
    }

    /// What carries its publications.
    #[must_use]
    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.broker
    }

    /// Who makes spans of what the node does, if anybody.
    #[must_use]
    pub fn tracer(&self) -> Option<&dyn Tracer> {
        self.tracer.as_deref()
    }

    /// How much may wait for its sessions' sockets.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Whether its shards stand still.
    #[must_use]
    pub fn stall(&self) -> Stall {
        self.report.get()
    }

    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    /// As they are at this moment. What is read of them together is from one reading of the configuration.
    pub(crate) fn namespaces(&self) -> Guard<Arc<Namespaces>> {
        self.dispatcher.namespaces()
    }

    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Begins a session, without a transport at first: what is sent to it waits. It is no connection yet, see
    /// [`Hub::admit`].
    #[must_use]
    pub fn open(&self, kind: &Arc<Kind>, peer: Peer) -> Arc<Session> {
        let id = SessionId(self.next_session.fetch_add(1, Ordering::Relaxed));
        let (index, shard) = self.dispatcher.shard_for(id);
        let session = Arc::new(Session::new(id, index, kind.clone(), peer, shard.now()));
        shard.add(session.clone());
        session
    }

    /// The client is about to be told that it is in: from now on its session counts as a connection. `false` where it
    /// has ended meanwhile.
    #[must_use]
    pub fn admit(&self, session: &Session) -> bool {
        // Under the lock, as the ending is: what was opened is closed once.
        let subscriptions = session.subscriptions.lock();
        if subscriptions.ended.is_some() {
            return false;
        }
        session.traffic.begin();
        self.metrics.connections.opened(session.dialect());
        true
    }

    /// Puts a session on a transport and sends what waited for it. Where that cannot be, the sink is aborted.
    pub fn attach(
        self: &Arc<Self>,
        session: &Arc<Session>,
        transport: &'static dyn Transport,
        sink: Box<dyn Sink>,
    ) {
        let sent = session.attach(transport, sink, &self.budget);
        self.after_send(session, sent);
    }

    /// A handshake is under way: a shutdown waits for it until this is dropped. Taken before [`Hub::open`], so that a
    /// client with its answer is never cut off between the two.
    pub fn handshake(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Takes a session off its transport: what is sent from now on waits for the next [`Hub::attach`], which must not
    /// come before the future returned has ended, else the order is lost.
    ///
    /// A session that has ended stays on its transport: the goodbye goes out there.
    pub fn detach(&self, session: &Arc<Session>) -> Draining {
        let (budget, session) = (self.budget.clone(), session.clone());
        Draining(session.outbound.detach().map(|link| Left { link, budget, session }))
    }

    /// Runs the task that reads a session's transport; a shutdown waits for it.
    pub fn spawn(&self, reader: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(reader);
    }

    /// Ready while a session may publish more; its reader waits for it before it reads. While it waits nobody judges
    /// the client.
    pub fn poll_may_publish(&self, session: &Session, cx: &Context<'_>) -> Poll<()> {
        let poll = match session.flow() {
            None if self.publish_budget.allows(0, 0) => Poll::Ready(()),
            _ => session.flow_or_new().poll_may_publish(&self.publish_budget, &self.metrics, cx),
        };
        match poll {
            Poll::Ready(()) if session.last_activity.is_unread() => {
                session.last_activity.read(self.now(session))
            }
            Poll::Ready(()) => {}
            Poll::Pending => session.last_activity.unread(),
        }
        poll
    }

    /// Whether a session may publish one more at this moment. Its reader asks it in front of each message of what it
    /// read; where it may not, the reader keeps the rest until [`Hub::poll_may_publish`] is ready.
    #[must_use]
    pub fn may_publish(&self, session: &Session) -> bool {
        session
            .flow()
            .map_or_else(|| self.publish_budget.allows(0, 0), |flow| flow.may_publish(&self.publish_budget))
    }

    /// A session's reader waits for something else before it asks for room again: meanwhile nobody judges the client.
    pub fn unread(&self, session: &Session) {
        session.last_activity.unread();
    }

    /// Sends one message to a session.
    pub fn send(self: &Arc<Self>, session: &Arc<Session>, mut message: Message) {
        let sent = session.outbound.send(&mut message, &self.budget, false);
        self.after_send(session, sent);
    }

    /// The client showed a sign of life: something was read from it. Costs one store.
    pub fn heard(&self, session: &Session) {
        session.last_activity.heard(self.now(session));
    }

    /// So much came from a session's client. For whoever reads its transport, one at a time.
    pub fn received(&self, session: &Session, traffic: Traffic) {
        session.traffic.received.add(traffic);
        self.metrics.received.add(traffic);
    }

    /// The second that it is, by the clock of a session's shard, which stands still while the node does.
    #[must_use]
    pub fn now(&self, session: &Session) -> u32 {
        self.dispatcher.shard_of(session).map_or(0, |shard| shard.now())
    }

    /// Asks a session's client for a sign of life.
    pub(crate) fn ping(self: &Arc<Self>, session: &Arc<Session>) {
        match session.dialect().ping() {
            Ping::Message(message) => self.send(session, message),
            Ping::Transport => {
                let sent = session.outbound.ping(&self.budget);
                self.after_send(session, sent);
            }
        }
    }

    /// Answers pings of a session's transport, all in one write.
    pub fn pong(self: &Arc<Self>, session: &Arc<Session>, payloads: &[Bytes]) {
        let sent = session.outbound.pong(payloads, &self.budget);
        self.after_send(session, sent);
    }
}
