//! The broker of a node that is alone, and its registry of one.
//!
//! Invariants:
//! - Publications are delivered in the order they were accepted: inline, under the lock that accepts them, while
//!   little is on its way to the node's shards and nothing waits; else by the pump, by turns ([`Fair`]).
//! - Nobody is answered under the lock.

use std::{
    collections::HashSet,
    sync::Arc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fanfare_core::{
    Broker, Channel, Incarnation, NodeInfo, Origin, Publication, Publish, Registry,
    broker::{BrokerEvents, BrokerState, ControlMessage, Done, PublishOrder, Recipient, SubscribeFuture},
    registry::RegistryFuture,
};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    driver::{Node, Parts},
    fair::{Fair, OVERHEAD, Waiting},
    metrics::Metrics,
    tasks::Tasks,
    ticket::{LANE_FAILED, STOPPING, Ticket},
};

/// How many bytes of what the server publishes may wait for the node.
const MAX_WAITING: usize = 64 << 20;

struct MemoryBroker {
    incarnation: Incarnation,
    message_bytes: usize,
    events: Arc<dyn BrokerEvents>,
    metrics: Arc<Metrics>,
    accept: Mutex<Accept>,
    /// Wakes the pump when something waits.
    waits: Notify,
}

#[derive(Default)]
struct Accept {
    sequence: u64,
    subscribed: HashSet<Channel>,
    waiting: Fair<Waits>,
    /// Of the server's.
    waiting_bytes: usize,
    stopped: bool,
}

/// A publish that waits for the node.
struct Waits(Publish, Ticket);

impl Waiting for Waits {
    fn order(&self) -> Option<&PublishOrder> {
        self.1.order()
    }

    fn cost(&self) -> usize {
        self.0.payload.len() + OVERHEAD
    }

    fn since(&self) -> tokio::time::Instant {
        self.1.since()
    }
}

/// What it takes of the server's share.
fn servers_bytes(waits: &Waits) -> usize {
    if waits.order().is_none() { waits.cost() } else { 0 }
}

/// What became of a publish under the lock.
enum Accepted {
    Delivered(Ticket),
    Refused(Ticket, String),
    Waits,
}

/// Starts the broker and its pump.
pub(crate) fn start(
    node: &Node,
    events: Arc<dyn BrokerEvents>,
    metrics: Arc<Metrics>,
    tasks: &Tasks,
    stop: &CancellationToken,
) -> Parts {
    metrics.state(BrokerState::Up);
    let broker = Arc::new(MemoryBroker {
        incarnation: node.incarnation,
        message_bytes: node.limits.message_bytes,
        events,
        metrics,
        accept: Mutex::default(),
        waits: Notify::new(),
    });
    let (pump, stop) = (broker.clone(), stop.clone());
    tasks.spawn(async move {
        stop.run_until_cancelled(pump.pump()).await;
        pump.stop();
    });
    (broker, Arc::new(MemoryRegistry::default()))
}

impl MemoryBroker {
    fn accept(&self, publish: Publish, ticket: Ticket) -> Accepted {
        if publish.payload.len() > self.message_bytes {
            return Accepted::Refused(ticket, format!("it is longer than {} bytes", self.message_bytes));
        }
        let mut accept = self.accept.lock();
        if accept.stopped {
            return Accepted::Refused(ticket, STOPPING.to_owned());
        }
        if ticket.lane_failed() {
            return Accepted::Refused(ticket, LANE_FAILED.to_owned());
        }
        if accept.waiting.is_empty() && self.is_ready() {
            self.deliver(&mut accept, publish, &ticket);
            return Accepted::Delivered(ticket);
        }
        let waits = Waits(publish, ticket);
        let bytes = accept.waiting_bytes + servers_bytes(&waits);
        if waits.order().is_none() && bytes > MAX_WAITING {
            return Accepted::Refused(waits.1, "too much waits for this node".to_owned());
        }
        accept.waiting_bytes = bytes;
        accept.waiting.push(waits);
        Accepted::Waits
    }

    /// Whether the node has room now. Asked only while the pump waits for nothing, so the pump's waker is not
    /// replaced by this one, which wakes nobody.
    fn is_ready(&self) -> bool {
        self.events.poll_calm(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn deliver(&self, accept: &mut Accept, publish: Publish, ticket: &Ticket) {
        accept.sequence += 1;
        let Some(channel) = accept.subscribed.get(&publish.channel) else { return };
        let origin = Origin { node: self.incarnation, session: publish.session, sequence: accept.sequence };
        self.metrics.received.inc();
        let publication = Publication::new(channel.clone(), publish.payload, Some(origin));
        let publication = publication.published_at(Some(ticket.since().into_std()));
        self.events.publication(publication.traced(publish.trace));
    }

    /// Delivers what waits, whenever the node has room.
    async fn pump(&self) {
        loop {
            self.waits.notified().await;
            while self.has_waiting() {
                std::future::poll_fn(|cx| self.events.poll_calm(cx)).await;
                if let Some(ticket) = self.deliver_one() {
                    ticket.taken();
                }
            }
        }
    }

    fn has_waiting(&self) -> bool {
        !self.accept.lock().waiting.is_empty()
    }

    fn deliver_one(&self) -> Option<Ticket> {
        let mut accept = self.accept.lock();
        let waits = accept.waiting.pop()?;
        accept.waiting_bytes -= servers_bytes(&waits);
        let Waits(publish, ticket) = waits;
        self.deliver(&mut accept, publish, &ticket);
        Some(ticket)
    }

    /// Takes nothing more, and refuses what waits.
    fn stop(&self) {
        let waiting = {
            let mut accept = self.accept.lock();
            accept.stopped = true;
            std::mem::take(&mut accept.waiting)
        };
        self.metrics.state(BrokerState::Away);
        waiting.into_all().for_each(|Waits(_, ticket)| ticket.refuse(STOPPING));
    }

    fn count_subscriptions(&self, accept: &Accept) {
        self.metrics.subscriptions.set(i64::try_from(accept.subscribed.len()).unwrap_or(i64::MAX));
    }
}

impl Broker for MemoryBroker {
    fn publish(&self, mut publish: Publish, done: Done) {
        let ticket = Ticket::new(done, publish.order.take(), self.metrics.clone());
        match self.accept(publish, ticket) {
            Accepted::Delivered(ticket) => ticket.taken(),
            Accepted::Refused(ticket, why) => ticket.refuse(why),
            Accepted::Waits => self.waits.notify_one(),
        }
    }

    fn subscribe(&self, channel: &Channel) -> SubscribeFuture {
        let mut accept = self.accept.lock();
        accept.subscribed.insert(channel.clone());
        self.count_subscriptions(&accept);
        Box::pin(std::future::ready(Ok(())))
    }

    fn unsubscribe(&self, channel: &Channel) {
        let mut accept = self.accept.lock();
        accept.subscribed.remove(channel);
        self.count_subscriptions(&accept);
    }

    fn control(&self, to: Recipient, message: Bytes) {
        if to != Recipient::All && to != Recipient::Node(self.incarnation) {
            return self.metrics.controls_refused.inc();
        }
        // Under the lock, so that the messages keep their order.
        let _accept = self.accept.lock();
        self.events.control(ControlMessage { from: self.incarnation, body: message });
    }

    fn state(&self) -> BrokerState {
        if self.accept.lock().stopped { BrokerState::Away } else { BrokerState::Up }
    }
}

/// The registry of a node that is alone.
#[derive(Debug, Default)]
struct MemoryRegistry(Mutex<Option<(NodeInfo, Instant)>>);

impl Registry for MemoryRegistry {
    fn announce(&self, node: &NodeInfo) -> RegistryFuture<'_, ()> {
        let node = node.clone();
        Box::pin(async move {
            *self.0.lock() = Some((node, Instant::now()));
            Ok(())
        })
    }

    fn withdraw(&self) -> RegistryFuture<'_, ()> {
        Box::pin(async move {
            *self.0.lock() = None;
            Ok(())
        })
    }

    fn nodes(&self) -> RegistryFuture<'_, Vec<NodeInfo>> {
        Box::pin(async move {
            let entry = self.0.lock();
            let alive = entry.iter().filter(|(_, since)| since.elapsed() <= TIME_TO_LIVE);
            Ok(alive.map(|(node, _)| node.clone()).collect())
        })
    }
}

/// How long the entry lives without being announced again.
const TIME_TO_LIVE: Duration = crate::redis::registry::TIME_TO_LIVE;
