//! Takes publications from the broker and hands each to the shards that have subscribers.
//!
//! Invariants
//! - A shard gets each publication of its channels once, in the broker's order. In a channel with history it gets those
//!   of the channel's tail, in order, under the tail's lock.
//! - The bytes between the broker and the shards are counted. Past the bound the broker is told to wait:
//!   [`BrokerEvents::poll_ready`].
//! - No lock of this file is held while code of another crate runs.

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use fanfare_core::{
    BrokerEvents, Channel, ChannelMap, Incarnation, Limits, Namespace, Namespaces, Partition, Position,
    Publication, SessionId,
    broker::{ControlMessage, Interruption},
};
use parking_lot::RwLock;
use tokio::sync::mpsc;

use crate::{
    delivery::{
        batch::{Queued, cost},
        gate::Pending,
        gather::Shards,
        losses::{Losses, closes},
        membership::{Joining, View},
        route::{Audience, Route},
        shard::Shard,
        tails::{
            latest::Latest,
            shared::{SharedTail, State},
            table::Tails,
            tail::Effects,
        },
    },
    metrics::{Heal, HubMetrics},
    session::state::Session,
};

/// How many control messages may wait. Further ones are dropped and counted.
const CONTROL_QUEUE: usize = 1024;

/// The largest number of shards: a route has one bit for each.
pub const MAX_SHARDS: usize = 64;

/// Hands publications from the broker to the shards.
pub struct Dispatcher {
    incarnation: Incarnation,
    namespaces: ArcSwap<Namespaces>,
    shards: Shards,
    routes: RwLock<ChannelMap<Route>>,
    control: mpsc::Sender<ControlMessage>,
    pending: Pending,
    losses: Losses,
    tails: Tails,
    metrics: Arc<HubMetrics>,
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
        let (pending, tails) = (Pending::new(limits), Tails::new(limits.history_bytes));
        let namespaces = ArcSwap::new(namespaces);
        let routes = RwLock::default();
        let losses = Losses::default();
        (Self { incarnation, namespaces, shards, routes, control, pending, losses, tails, metrics }, controls)
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
            let namespace = namespaces.of(channel);
            (route.audience.echo, route.audience.delta) = (namespace.echo, namespace.delta);
        }
        self.namespaces.store(Arc::new(namespaces));
        drop(routes);
        self.pending.set(limits);
        self.tails.reload(&self.namespaces(), limits.history_bytes);
    }

    pub(crate) fn losses(&self) -> &Losses {
        &self.losses
    }

    /// The channels with a subscriber, and the number of their subscribers on this node.
    pub(crate) fn channels(&self) -> Vec<(Channel, u32)> {
        self.routes.read().iter().map(|(channel, route)| (channel.clone(), route.audience.members)).collect()
    }

    /// The channels with a subscriber on this node that wants news of clients, in namespaces that have such news.
    pub(crate) fn channels_with_news(&self) -> Vec<Channel> {
        let namespaces = self.namespaces();
        let routes = self.routes.read();
        let wanted =
            routes.iter().filter(|(channel, route)| route.wants_news() && namespaces.of(channel).join_leave);
        wanted.map(|(channel, _)| channel.clone()).collect()
    }

    pub(crate) fn tails(&self) -> &Tails {
        &self.tails
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
    pub(crate) fn join(&self, channel: &Channel, session: &Arc<Session>, joining: &Joining) {
        let Some(shard) = self.shard_of(session) else { return };
        let mut routes = self.routes.write();
        let new = || Route::new(self.namespaces().of(channel));
        let route = routes.entry(channel.clone()).or_insert_with(new);
        let is_first = route.joined(session.shard, joining);
        shard.join(channel, session, joining);
        self.metrics.fan_out.subscriptions.inc();
        if is_first {
            self.metrics.fan_out.channels.inc();
        }
    }

    /// Changes what a member gets of a channel.
    pub(crate) fn change_view(&self, channel: &Channel, session: &Session, view: View) {
        if let Some(shard) = self.shard_of(session) {
            shard.change_view(channel, session, view);
        }
    }

    /// A member that gets differences has all before this position.
    pub(crate) fn set_base(&self, channel: &Channel, session: &Session, base: Position) {
        if let Some(shard) = self.shard_of(session) {
            shard.set_base(channel, session, Some(base));
        }
    }

    /// Removes a session from a channel that it has joined.
    pub(crate) fn leave(&self, channel: &Channel, session: &Session) {
        let Some(shard) = self.shard_of(session) else { return };
        let mut routes = self.routes.write();
        let (left, is_empty) = shard.leave(channel, session);
        let Some(route) = routes.get_mut(channel) else { return };
        let is_last = route.left(session.shard, left, is_empty);
        self.metrics.fan_out.subscriptions.dec();
        if is_last {
            self.metrics.fan_out.channels.dec();
        }
        if route.is_unused() {
            routes.remove(channel);
        }
    }

    /// Gives a channel a tail, if its namespace keeps publications and it has none. Its top is to be asked for once the
    /// broker confirmed the channel.
    pub(crate) fn begin_tail(&self, channel: &Channel) {
        let namespaces = self.namespaces();
        let Namespace { retention: Some(retention), delta, .. } = namespaces.of(channel) else { return };
        if let Some(tail) = self.tails.begin(channel, *retention, *delta) {
            let mut routes = self.routes.write();
            let new = || Route::new(namespaces.of(channel));
            let route = routes.entry(channel.clone()).or_insert_with(new);
            route.tail = Some(tail.clone());
            // A namespace may keep publications since a reload only: then the broker confirmed the channel long ago.
            let is_confirmed = route.audience.members > 0;
            drop(routes);
            if is_confirmed {
                self.tails.open(&tail);
            }
        }
    }

    /// Ends the tail of a channel without subscribers.
    pub(crate) fn end_tail(&self, channel: &Channel) {
        let Some(tail) = self.tails.remove(channel) else { return };
        let mut routes = self.routes.write();
        if let Some(route) = routes.get_mut(channel) {
            route.tail = None;
            if route.is_unused() {
                routes.remove(channel);
            }
        }
        drop(routes);
        self.change_tail(&tail, |state, _| {
            state.tail.close();
            state.read = None;
        });
    }

    /// Changes a tail, and carries out the consequences.
    pub(crate) fn change_tail<T>(
        &self,
        tail: &Arc<SharedTail>,
        change: impl FnOnce(&mut State, &mut Effects) -> T,
    ) -> T {
        let mut effects = Effects::default();
        let mut state = tail.lock();
        let (was_live, before) = (state.tail.is_live(), state.tail.bytes());
        let result = change(&mut state, &mut effects);
        if effects.delivers() {
            state.touch(self.tails.now());
            self.deliver(&tail.channel, effects.take(&tail.channel), &mut state.latest);
        }
        let bytes = self.tails.account(before, state.tail.bytes());
        drop(state);
        self.metrics.history.tail_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        if !was_live {
            tail.has_changed();
        }
        self.follow(tail, &effects);
        result
    }

    /// Hands publications of a tail to the shards.
    fn deliver(
        &self,
        channel: &Channel,
        publications: impl IntoIterator<Item = Arc<Publication>>,
        latest: &mut Latest,
    ) {
        let audience = self.routes.read().get(channel).map(|route| route.audience);
        for publication in publications {
            match audience {
                Some(audience) if audience.delta && audience.members > 0 => {
                    latest.pass(&publication, self.except(&publication, audience.echo));
                    self.spread(&publication, audience);
                }
                Some(audience) if audience.members > 0 => self.spread(&publication, audience),
                _ => self.metrics.unheard.inc(),
            }
        }
    }

    /// Carries out what need not happen under the tail's lock.
    fn follow(&self, tail: &Arc<SharedTail>, effects: &Effects) {
        let metrics = &self.metrics.history;
        metrics.duplicates.inc_by(effects.duplicates);
        if effects.must_read {
            self.tails.note(|work| work.heal.push(tail.clone()));
        }
        if effects.healed {
            metrics.healed(Heal::Healed);
        }
        if effects.told {
            metrics.healed(Heal::Failed);
            self.losses.for_good_on(&tail.channel);
        }
    }

    /// Hands a publication to the shards of its audience.
    fn spread(&self, publication: &Arc<Publication>, audience: Audience) {
        let Audience { mut shards, members, echo, .. } = audience;
        self.metrics.fan_out.size.observe(members.into());
        let except = self.except(publication, echo);
        let cost = cost(publication);
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

    /// The bytes between the broker and the shards, as [`Limits::inbound_bytes`] counts them.
    #[must_use]
    pub fn inbound_queued(&self) -> usize {
        self.pending.bytes.load(Ordering::Relaxed)
    }

    /// Whether the broker has to wait for the shards.
    pub(crate) fn is_full(&self) -> bool {
        self.pending.is_full()
    }

    /// A shard has written out publications of this cost.
    pub(crate) fn done(&self, cost: usize) {
        self.pending.done(cost);
    }

    /// The sessions of this node that must not get this publication.
    pub(crate) fn except(&self, publication: &Publication, echo: bool) -> [Option<SessionId>; 2] {
        let origin = publication.origin.filter(|origin| !echo && origin.node == self.incarnation);
        [origin.and_then(|origin| origin.session), publication.excluded_on(self.incarnation)]
    }
}

impl BrokerEvents for Dispatcher {
    fn publication(&self, publication: Publication) {
        let (audience, tail) = match self.routes.read().get(&publication.channel) {
            Some(route) if route.is_unwanted(&publication) => return,
            Some(route) => (route.audience, route.tail.clone()),
            None => return self.metrics.unheard.inc(),
        };
        let publication = Arc::new(publication);
        match tail {
            None => self.spread(&publication, audience),
            Some(tail) => self.change_tail(&tail, |state, effects| state.tail.arrive(publication, effects)),
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
        self.tails.note(|work| work.restored.push(partition));
        self.losses.on_partition(partition);
    }

    fn missed(&self, channel: &Channel) {
        self.metrics.missed.inc();
        if let Some(tail) = self.tails.get(channel) {
            self.change_tail(&tail, |state, effects| state.tail.suspect(effects));
        } else if closes(&self.namespaces(), channel) {
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
