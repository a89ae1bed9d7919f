//! Fan-out: takes the publications that were queued for a shard, and writes them out once per session.
//!
//! Invariants
//! - A tick does not wait for more publications. Those that arrive while it writes are for the next tick. So under load
//!   one write carries many publications, and the cost per delivery falls.
//! - A session with one channel is written straight to its sink. In a tick with several channels, a session with
//!   several is queued for and flushed once at the end.
//! - After every `SENDS_PER_TURN` sends other tasks get their turn.

use std::sync::Arc;

use fanfare_core::{Channel, FastHash, Namespaces, Tracer};
use indexmap::IndexMap;
use tokio::time::Instant;

use crate::{
    delivery::{
        batch::{Batch, cost},
        dispatcher::Dispatcher,
        membership::{Membership, View},
        shard::{SessionById, Shard, ShardQueue},
        traced::FanOutSpans,
    },
    ending::goodbye::Goodbyes,
    metrics::{Busy, HubMetrics, Latencies},
    session::{held::Holding, link::Sent, state::Session, traffic::Traffic, writer::Writer},
    upkeep::budget::Budget,
};

/// About 1 ms of writes.
const SENDS_PER_TURN: usize = 256;

/// The sends of a short tick.
const FEW_SENDS: usize = 64;

/// The number of members that are prefetched together. Their memory, about 5 KB, stays in the second-level cache until
/// their turn.
const PREFETCHED: usize = 16;

/// Delivers the publications that the dispatcher queued for the shards.
pub(crate) struct Delivery {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) writer: Arc<Writer>,
    pub(crate) goodbyes: Arc<Goodbyes>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) metrics: Arc<HubMetrics>,
    /// `None` where nothing is traced.
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
}

impl Delivery {
    /// Serves one shard for as long as the node lives.
    pub(crate) async fn run(self: Arc<Self>, shard: Arc<Shard>, busy: Busy) {
        let mut taken = ShardQueue::default();
        let mut tick = Tick {
            delivery: &self,
            shard: &shard,
            batches: IndexMap::default(),
            later: Vec::new(),
            latencies: self.metrics.relay_latency.gather(self.dispatcher.incarnation()),
            sends: 0,
            traffic: Traffic::default(),
        };
        loop {
            shard.arrived().await;
            shard.progress.tick();
            let mut since = Instant::now().into_std();
            while shard.take(&mut taken) {
                let sends = tick.sends;
                tick.run(&mut taken).await;
                shard.progress.tick();
                since = busy.since(since);
                // tokio asks the kernel for events before it goes on with a task that yielded. Behind a long tick more
                // has arrived by then: a shard with too much to write is busy all the time.
                if tick.sends - sends < FEW_SENDS && shard.is_idle() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

struct Tick<'a> {
    delivery: &'a Delivery,
    shard: &'a Shard,
    /// The publications of this tick, by channel. Kept from tick to tick for its memory.
    batches: IndexMap<Channel, Batch, FastHash>,
    /// Sessions that were only queued for.
    later: Vec<Arc<Session>>,
    latencies: Latencies,
    sends: usize,
    /// The traffic of this tick's sends that was not added to the totals yet.
    traffic: Traffic,
}

impl Tick<'_> {
    async fn run(&mut self, taken: &mut ShardQueue) {
        let cost = taken.queued.iter().map(|queued| cost(&queued.publication)).sum();
        for queued in taken.queued.drain(..) {
            let channel = queued.publication.channel.clone();
            self.batches.entry(channel).or_default().push(queued);
        }
        let is_alone = self.batches.len() == 1;
        let mut batches = std::mem::take(&mut self.batches);
        for (channel, mut batch) in batches.drain(..) {
            self.fan_out(&channel, &mut batch, is_alone).await;
        }
        self.batches = batches;
        for session in std::mem::take(&mut self.later) {
            let (sent, traffic) = session.outbound.flush_uncounted(&self.delivery.budget);
            self.traffic += traffic;
            self.delivery.writer.after_send(&session, sent);
            self.take_turns().await;
        }
        self.latencies.tick_ended();
        self.delivery.metrics.sent.add(std::mem::take(&mut self.traffic));
        for (session, disconnect) in taken.goodbyes.drain(..) {
            self.delivery.goodbyes.end(&session, &disconnect);
        }
        self.delivery.dispatcher.done(cost);
    }

    async fn fan_out(&mut self, channel: &Channel, batch: &mut Batch, is_alone: bool) {
        let Some((members, wishes)) = self.shard.audience(channel) else { return };
        if let Some(wishes) = wishes {
            batch.heed(wishes);
        }
        let spans = FanOutSpans::begin(self.delivery.tracer.as_deref(), batch, &members);
        let (mut deliveries, mut deferred, mut writes) = (0, 0, 0);
        let namespaces = self.delivery.dispatcher.namespaces();
        for (at, (SessionById(session), membership)) in members.iter().enumerate() {
            if at.is_multiple_of(PREFETCHED) {
                members.iter().skip(at).take(PREFETCHED).for_each(|(session, _)| session.0.prefetch());
            }
            let defer = !is_alone && session.has_several_channels();
            let (sent, count) = self.deliver(session, *membership, batch, &namespaces, defer);
            deliveries += count;
            deferred += if defer { count } else { 0 };
            writes += usize::from(sent == Sent::Written);
            if defer && sent == Sent::NeedsFlush {
                self.later.push(session.clone());
            } else {
                self.delivery.writer.after_send(session, sent);
            }
            self.take_turns().await;
        }
        spans.end();
        let metrics = &self.delivery.metrics;
        metrics.deliveries.inc_by(deliveries as u64);
        metrics.fan_out.writes.inc_by(writes as u64);
        if deferred > 0 {
            self.latencies.queued(batch.publications());
        } else if deliveries > 0 {
            self.latencies.written(batch.publications());
        }
    }

    /// Hands a member its share. The result, and the number of publications that were taken.
    fn deliver(
        &mut self,
        session: &Arc<Session>,
        membership: Membership,
        batch: &mut Batch,
        namespaces: &Namespaces,
        defer: bool,
    ) -> (Sent, usize) {
        if membership.view() == View::Held
            && let Some(held) = self.hold(session, membership, batch)
        {
            return held;
        }
        match batch.share(session.id, membership, session.dialect(), namespaces) {
            Some(mut share) => {
                session.last_activity.message(self.shard.now());
                let budget = &self.delivery.budget;
                let (sent, traffic) = session.outbound.send_uncounted(&mut share, budget, defer);
                self.traffic += traffic;
                match sent {
                    Sent::Overflow | Sent::Broken => (sent, 0),
                    _ => (sent, share.len()),
                }
            }
            None => (Sent::Done, 0),
        }
    }

    /// Holds a member's share until its history was sent; `None` where it was.
    fn hold(&self, session: &Session, membership: Membership, batch: &mut Batch) -> Option<(Sent, usize)> {
        let member = batch.member(session.id, membership, session.dialect());
        let channel = &batch.publications().next()?.channel;
        let mine = || batch.queued_for(member);
        let publications = mine().map(|queued| &queued.publication);
        match session.held()?.hold(channel, publications, self.delivery.budget.per_session()) {
            Holding::Held => Some((Sent::Done, mine().count())),
            Holding::Overflow => Some((Sent::Overflow, 0)),
            Holding::Released => None,
        }
    }

    async fn take_turns(&mut self) {
        self.sends += 1;
        if self.sends.is_multiple_of(SENDS_PER_TURN) {
            self.shard.progress.tick();
            tokio::task::yield_now().await;
        }
    }
}
