//! Fan-out: gathers what came in since the last tick, and writes it out once per session.
//!
//! Invariants
//! - Nothing waits for more to come. What arrives while a tick writes is the next tick's, so under load one write
//!   carries many publications, and the cost per delivery falls.
//! - A session with one channel is written straight to its sink. One with several, in a tick with several
//!   channels, is queued for and flushed once at the end.
//! - Every `SENDS_PER_TURN` sends other tasks get their turn.

use std::sync::Arc;

use fanfare_core::{Channel, Disconnect, Namespaces};
use indexmap::IndexMap;
use tokio::time::Instant;

use crate::{
    delivery::{
        batch::{Batch, cost},
        shard::{Arrivals, SessionById, Shard},
        traced::FanOut,
    },
    hub::Hub,
    metrics::{Busy, Latencies},
    session::{outbound::Sent, state::Session, traffic::Traffic},
};

/// About 1 ms of writes.
const SENDS_PER_TURN: usize = 256;

/// Serves one shard for as long as the node lives.
pub(crate) async fn run(hub: Arc<Hub>, shard: Arc<Shard>, busy: Busy) {
    let mut taken = Arrivals::default();
    let mut tick = Tick {
        hub: &hub,
        shard: &shard,
        batches: IndexMap::new(),
        later: Vec::new(),
        latencies: hub.metrics().relay_latency.gather(hub.dispatcher().incarnation()),
        sends: 0,
        went: Traffic::default(),
    };
    loop {
        shard.arrived().await;
        shard.progress.tick();
        let mut since = Instant::now().into_std();
        while shard.take(&mut taken) {
            tick.run(&mut taken).await;
            shard.progress.tick();
            since = busy.since(since);
            tokio::task::yield_now().await;
        }
    }
}

struct Tick<'a> {
    hub: &'a Arc<Hub>,
    shard: &'a Shard,
    /// What this tick has, by channel. Kept from tick to tick for its memory.
    batches: IndexMap<Channel, Batch>,
    /// Sessions that were only queued for.
    later: Vec<Arc<Session>>,
    latencies: Latencies,
    sends: usize,
    /// What this tick's sends brought out, and was not counted yet.
    went: Traffic,
}

impl Tick<'_> {
    async fn run(&mut self, taken: &mut Arrivals) {
        let cost = taken.queued.iter().map(|queued| cost(&queued.publication)).sum();
        for queued in taken.queued.drain(..) {
            match self.batches.get_mut(&queued.publication.channel) {
                Some(batch) => batch.push(queued),
                None => {
                    let channel = queued.publication.channel.clone();
                    self.batches.entry(channel).or_default().push(queued);
                }
            }
        }
        let is_alone = self.batches.len() == 1;
        let mut batches = std::mem::take(&mut self.batches);
        for (channel, mut batch) in batches.drain(..) {
            self.fan_out(&channel, &mut batch, is_alone).await;
        }
        self.batches = batches;
        for session in std::mem::take(&mut self.later) {
            let (sent, went) = session.outbound.flush_uncounted(self.hub.budget());
            self.went += went;
            self.hub.after_send(&session, sent);
            self.take_turns().await;
        }
        self.latencies.tick_ended();
        self.hub.metrics().sent.add(std::mem::take(&mut self.went));
        for (session, disconnect) in taken.goodbyes.drain(..) {
            self.hub.end(&session, &disconnect);
        }
        self.hub.dispatcher().done(cost);
    }

    async fn fan_out(&mut self, channel: &Channel, batch: &mut Batch, is_alone: bool) {
        let Some(members) = self.shard.members(channel) else { return };
        let spans = FanOut::begin(self.hub, batch, &members);
        let (mut deliveries, mut deferred, mut writes) = (0, 0, 0);
        let namespaces = self.hub.namespaces();
        for at in 0..members.len() {
            let Some((SessionById(session), since)) = members.get_index(at) else { break };
            let defer = !is_alone && session.has_several_channels();
            let (sent, count) = self.deliver(session, *since, batch, &namespaces, defer);
            deliveries += count;
            deferred += if defer { count } else { 0 };
            writes += usize::from(sent == Sent::Written);
            if defer && sent == Sent::NeedsFlush {
                self.later.push(session.clone());
            } else {
                self.hub.after_send(session, sent);
            }
            self.take_turns().await;
        }
        spans.end();
        let metrics = self.hub.metrics();
        metrics.deliveries.inc_by(deliveries as u64);
        metrics.fan_out.writes.inc_by(writes as u64);
        if deferred > 0 {
            self.latencies.queued(batch);
        } else if deliveries > 0 {
            self.latencies.written(batch);
        }
    }

    /// Hands a member its share: what became of it, and how many publications were taken.
    fn deliver(
        &mut self,
        session: &Arc<Session>,
        since: u64,
        batch: &mut Batch,
        namespaces: &Namespaces,
        defer: bool,
    ) -> (Sent, usize) {
        match batch.share(session.id, since, session.dialect(), namespaces) {
            Some(mut share) => {
                session.last_activity.message(self.shard.now());
                let (sent, went) = session.outbound.send_uncounted(&mut share, self.hub.budget(), defer);
                self.went += went;
                match sent {
                    Sent::Overflow | Sent::Broken => (sent, 0),
                    _ => (sent, share.len()),
                }
            }
            None => (Sent::Done, 0),
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

impl Hub {
    /// Does what is owed after bytes were handed to a session's way out.
    pub(crate) fn after_send(self: &Arc<Self>, session: &Arc<Session>, sent: Sent) {
        match sent {
            Sent::Written | Sent::Done => {}
            Sent::NeedsFlush => self.flush_later(session),
            Sent::Held => self.watch(session),
            Sent::Overflow => self.end(session, &Disconnect::Slow),
            // The sink was aborted: whoever reads it sees its end, and ends the session.
            Sent::Broken => {}
        }
    }
}
