//! Takes publications from the broker and hands each to the shards that have subscribers.
//!
//! Invariants
//! - A shard gets each publication of its channels once, in the broker's order.
//! - The bytes between the broker and the shards are counted. Past the bound the broker is told to wait:
//!   [`BrokerEvents::poll_ready`].
//! - No lock of this file is held while code of another crate runs.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use fanfare_core::{
    BrokerEvents, Channel, Incarnation, Limits, Namespaces, Partition, Publication, SessionId,
    broker::{ControlMessage, Interruption},
};
use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;
use tokio::sync::mpsc;

use crate::{
    delivery::{
        batch::{Queued, cost},
        gather::Shards,
        losses::{Losses, closes},
        membership::View,
        shard::Shard,
    },
    metrics::HubMetrics,
    session::state::Session,
};

/// How many control messages may wait. Further ones are dropped and counted.
const CONTROL_QUEUE: usize = 1024;

/// See [`BrokerEvents::poll_calm`].
const CALM_BYTES: usize = 256 << 10;

/// The largest number of shards: a route has one bit for each.
pub const MAX_SHARDS: usize = 64;

/// Hands publications from the broker to the shards.
pub struct Dispatcher {
    incarnation: Incarnation,
    namespaces: ArcSwap<Namespaces>,
    shards: Shards,
    routes: RwLock<HashMap<Channel, Route>>,
    control: mpsc::Sender<ControlMessage>,
    pending: Pending,
    losses: Losses,
    metrics: Arc<HubMetrics>,
}

/// The shards that the publications of one channel go to.
struct Route {
    /// One bit for each shard that has a member.
    shards: u64,
    /// The number of its subscribers on this node.
    members: u32,
    /// Whether a publisher gets its own publications.
    echo: bool,
}

/// The bytes between the broker and the shards.
struct Pending {
    bytes: AtomicUsize,
    /// Past its bound the node takes no more.
    full: Gate,
    /// Past its bound new publications are written out only after a while.
    calm: Gate,
}

/// A bound, and the broker's tasks that wait until the bytes are below it: at most one for each partition.
struct Gate {
    bound: AtomicUsize,
    waiters: Mutex<SmallVec<[(Partition, Waker); 1]>>,
}

impl Gate {
    fn new(bound: usize) -> Self {
        Self { bound: AtomicUsize::new(bound), waiters: Mutex::default() }
    }

    fn set(&self, bound: usize) {
        self.bound.store(bound, Ordering::Release);
        // After the bound: a broker that leaves its waker later than this looks once more, and sees the new bound.
        self.open();
    }

    fn open(&self) {
        let waiters = std::mem::take(&mut *self.waiters.lock());
        waiters.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// The bytes fell from `before` to `now`.
    fn fell(&self, before: usize, now: usize) {
        let bound = self.bound.load(Ordering::Relaxed);
        if before >= bound && now < bound {
            self.open();
        }
    }

    /// Ready below the bound. `waits` is called when the task begins to wait.
    fn poll(
        &self,
        partition: Partition,
        bytes: &AtomicUsize,
        cx: &Context<'_>,
        waits: impl FnOnce(),
    ) -> Poll<()> {
        let is_below = || bytes.load(Ordering::Acquire) < self.bound.load(Ordering::Acquire);
        if is_below() {
            return Poll::Ready(());
        }
        let waited = self.leave_waker(partition, cx.waker());
        // The shards may have caught up before the waker was there to be woken.
        if is_below() {
            self.waiters.lock().retain(|(of, _)| *of != partition);
            return Poll::Ready(());
        }
        if !waited {
            waits();
        }
        Poll::Pending
    }

    /// Replaces the waker of a partition. Whether there was one.
    fn leave_waker(&self, partition: Partition, waker: &Waker) -> bool {
        let mut waiters = self.waiters.lock();
        if let Some((_, left)) = waiters.iter_mut().find(|(of, _)| *of == partition) {
            left.clone_from(waker);
            return true;
        }
        waiters.push((partition, waker.clone()));
        false
    }
}

impl Dispatcher {
    /// A dispatcher over `shards` shards (at least one, at most [`MAX_SHARDS`]), and the control messages that arrive.
    #[must_use]
    pub fn new(
        incarnation: Incarnation,
        shards: usize,
        namespaces: Arc<Namespaces>,
        limits: &Limits,
        metrics: Arc<HubMetrics>,
    ) -> (Self, mpsc::Receiver<ControlMessage>) {
        let (control, controls) = mpsc::channel(CONTROL_QUEUE);
        let shards = Shards::new(shards.clamp(1, MAX_SHARDS));
        let [full, calm] = [limits.inbound_bytes, calm(limits)].map(Gate::new);
        let pending = Pending { bytes: AtomicUsize::new(0), full, calm };
        let namespaces = ArcSwap::new(namespaces);
        let routes = RwLock::default();
        let losses = Losses::default();
        (Self { incarnation, namespaces, shards, routes, control, pending, losses, metrics }, controls)
    }

    /// All shards.
    #[must_use]
    pub fn shards(&self) -> &[Arc<Shard>] {
        self.shards.all()
    }

    /// All sessions at this moment.
    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        self.shards().iter().flat_map(|shard| shard.sessions()).collect()
    }

    /// The second that it is by the clock of a session's shard. It stands still while the node does.
    pub(crate) fn now(&self, session: &Session) -> u32 {
        self.shard_of(session).map_or(0, |shard| shard.now())
    }

    /// Runs `work`, and wakes the shards that it pushed to afterwards.
    pub(crate) fn gather<T>(&self, work: impl FnOnce() -> T) -> T {
        self.shards.gather(work)
    }

    /// The incarnation of this node.
    pub(crate) fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    pub(crate) fn namespaces(&self) -> Guard<Arc<Namespaces>> {
        self.namespaces.load()
    }

    /// Replaces namespaces and bounds, also for existing routes. A broker that waits looks again.
    pub(crate) fn reload(&self, namespaces: Namespaces, limits: &Limits) {
        let mut routes = self.routes.write();
        for (channel, route) in routes.iter_mut() {
            route.echo = namespaces.of(channel).echo;
        }
        self.namespaces.store(Arc::new(namespaces));
        drop(routes);
        self.pending.full.set(limits.inbound_bytes);
        self.pending.calm.set(calm(limits));
    }

    pub(crate) fn losses(&self) -> &Losses {
        &self.losses
    }

    /// The channels with a subscriber, and the number of their subscribers on this node.
    pub(crate) fn channels(&self) -> Vec<(Channel, u32)> {
        self.routes.read().iter().map(|(channel, route)| (channel.clone(), route.members)).collect()
    }

    /// The shard for a new session: the shards take turns.
    pub(crate) fn shard_for(&self, session: SessionId) -> (u32, &Arc<Shard>) {
        let index = (session.0 % self.shards().len() as u64) as usize;
        #[expect(clippy::indexing_slicing, reason = "a remainder is below its divisor, and there is a shard")]
        let shard = &self.shards()[index];
        (index as u32, shard)
    }

    pub(crate) fn shard_of(&self, session: &Session) -> Option<&Arc<Shard>> {
        self.shards().get(session.shard as usize)
    }

    /// Adds a session to a channel that it has not joined.
    pub(crate) fn join(&self, channel: &Channel, session: &Arc<Session>, view: View) {
        let Some(shard) = self.shard_of(session) else { return };
        let mut routes = self.routes.write();
        let route = routes.entry(channel.clone()).or_insert_with(|| Route {
            shards: 0,
            members: 0,
            echo: self.namespaces().of(channel).echo,
        });
        route.shards |= 1 << session.shard;
        route.members += 1;
        shard.join(channel, session, view);
        self.metrics.fan_out.subscriptions.inc();
        self.metrics.fan_out.channels.set(count(routes.len()));
    }

    /// Changes what a member gets of a channel.
    pub(crate) fn change_view(&self, channel: &Channel, session: &Session, view: View) {
        if let Some(shard) = self.shard_of(session) {
            shard.change_view(channel, session, view);
        }
    }

    /// Removes a session from a channel that it has joined.
    pub(crate) fn leave(&self, channel: &Channel, session: &Session) {
        let Some(shard) = self.shard_of(session) else { return };
        let mut routes = self.routes.write();
        let is_empty = shard.leave(channel, session);
        let Some(route) = routes.get_mut(channel) else { return };
        route.members = route.members.saturating_sub(1);
        if is_empty {
            route.shards &= !(1 << session.shard);
        }
        if route.shards == 0 {
            routes.remove(channel);
        }
        self.metrics.fan_out.subscriptions.dec();
        self.metrics.fan_out.channels.set(count(routes.len()));
    }

    /// The bytes between the broker and the shards, as [`Limits::inbound_bytes`] counts them.
    #[must_use]
    pub fn inbound_queued(&self) -> usize {
        self.pending.bytes.load(Ordering::Relaxed)
    }

    /// A shard has written out publications of this cost.
    pub(crate) fn done(&self, cost: usize) {
        let before = self.pending.bytes.fetch_sub(cost, Ordering::AcqRel);
        self.pending.full.fell(before, before - cost);
        self.pending.calm.fell(before, before - cost);
    }

    /// The sessions of this node that must not get this publication.
    fn except(&self, publication: &Publication, echo: bool) -> [Option<SessionId>; 2] {
        let origin = publication.origin.filter(|origin| !echo && origin.node == self.incarnation);
        [origin.and_then(|origin| origin.session), publication.excluded_on(self.incarnation)]
    }
}

/// The bytes on their way to the shards below which a publication is written out within a millisecond or two.
fn calm(limits: &Limits) -> usize {
    limits.inbound_bytes.min(CALM_BYTES)
}

fn count(channels: usize) -> i64 {
    i64::try_from(channels).unwrap_or(i64::MAX)
}

impl BrokerEvents for Dispatcher {
    fn publication(&self, publication: Publication) {
        let (mut shards, members, echo) = match self.routes.read().get(&publication.channel) {
            Some(route) => (route.shards, route.members, route.echo),
            None => return self.metrics.unheard.inc(),
        };
        self.metrics.fan_out.size.observe(members.into());
        let except = self.except(&publication, echo);
        let cost = cost(&publication);
        let publication = Arc::new(publication);
        self.pending.bytes.fetch_add(cost * shards.count_ones() as usize, Ordering::AcqRel);
        while shards != 0 {
            let index = shards.trailing_zeros() as usize;
            shards &= shards - 1;
            if let Some(shard) = self.shards().get(index) {
                let publication = publication.clone();
                if shard.push(|sequence| Queued { sequence, publication, except }) {
                    self.shards.wake(index);
                }
            }
        }
    }

    fn gather(&self, deliver: &mut dyn FnMut()) {
        self.shards.gather(deliver);
    }

    fn control(&self, message: ControlMessage) {
        if self.control.try_send(message).is_err() {
            self.metrics.control_dropped.inc();
        }
    }

    fn interrupted(&self, _: Partition, cause: Interruption) {
        self.metrics.interrupted(cause);
    }

    fn restored(&self, partition: Partition, outage: Duration) {
        self.metrics.interruption_seconds.inc_by(outage.as_secs_f64());
        self.losses.on_partition(partition);
    }

    fn missed(&self, channel: &Channel) {
        self.metrics.missed.inc();
        if closes(&self.namespaces(), channel) {
            self.losses.on(channel);
        }
    }

    fn poll_ready(&self, partition: Partition, cx: &mut Context<'_>) -> Poll<()> {
        self.pending.full.poll(partition, &self.pending.bytes, cx, || self.metrics.broker_waits.inc())
    }

    fn poll_calm(&self, partition: Partition, cx: &mut Context<'_>) -> Poll<()> {
        self.pending.calm.poll(partition, &self.pending.bytes, cx, || {})
    }
}
