//! Takes and delivers publications.
//!
//! Invariants:
//! - Publications are delivered in the order in which they were accepted. While little is on its way to the node's
//!   shards and nothing waits, they are delivered under the lock that accepts them. Otherwise the pump delivers them,
//!   by turns ([`Queue`]).
//! - No publish is answered under the lock.

use std::{
    collections::HashSet,
    sync::Arc,
    task::{Context, Waker},
};

use bytes::Bytes;
use fanfare_core::{
    Backend, Broker, Channel, Incarnation, Origin, Partition, Publication, Publish, Taken,
    broker::{BrokerEvents, BrokerState, ControlMessage, Done, Recipient, SubscribeFuture},
};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    presence::MemoryPresence,
    registry::MemoryRegistry,
    revocations::MemoryRevocations,
    waiting::{Queue, WaitingPublish},
};
use crate::{
    bounds::too_long,
    metrics::Metrics,
    node::{Node, Parts},
    tasks::Tasks,
    ticket::{ORDER_FAILED, STOPPING, Ticket},
};

/// The only one.
const PARTITION: Partition = Partition(0);

struct MemoryBroker {
    incarnation: Incarnation,
    message_bytes: usize,
    events: Arc<dyn BrokerEvents>,
    metrics: Arc<Metrics>,
    accept: Mutex<Accept>,
    /// Wakes the pump when a publish waits.
    waits: Notify,
}

#[derive(Default)]
struct Accept {
    sequence: u64,
    subscribed: HashSet<Channel>,
    waiting: Queue,
    stopped: bool,
}

/// The result of a publish under the lock.
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
    let presence = Arc::new(MemoryPresence::new(broker.metrics.presence_entries.clone()));
    let revocations = Arc::new(MemoryRevocations::default());
    (
        Backend { presence, revocations, ..Backend::without_memory(broker) },
        Arc::new(MemoryRegistry::default()),
    )
}

impl MemoryBroker {
    fn accept(&self, publish: Publish, ticket: Ticket) -> Accepted {
        if let Some(why) = too_long(&publish, self.message_bytes) {
            return Accepted::Refused(ticket, why);
        }
        let mut accept = self.accept.lock();
        if accept.stopped {
            return Accepted::Refused(ticket, STOPPING.to_owned());
        }
        if ticket.order_failed() {
            return Accepted::Refused(ticket, ORDER_FAILED.to_owned());
        }
        if accept.waiting.is_empty() && self.is_ready() {
            self.deliver(&mut accept, publish, &ticket);
            return Accepted::Delivered(ticket);
        }
        match accept.waiting.push(WaitingPublish(publish, ticket)) {
            Ok(()) => Accepted::Waits,
            Err(ticket) => Accepted::Refused(ticket, "too much waits for this node".to_owned()),
        }
    }

    /// Whether the node has room now. Asked only while the pump waits for nothing: so this waker, which wakes no task,
    /// does not replace that of the pump.
    fn is_ready(&self) -> bool {
        self.events.poll_calm(PARTITION, &mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn deliver(&self, accept: &mut Accept, publish: Publish, ticket: &Ticket) {
        accept.sequence += 1;
        let Some(channel) = accept.subscribed.get(&publish.channel) else { return };
        let origin = Origin { node: self.incarnation, session: publish.session, sequence: accept.sequence };
        self.metrics.received.inc();
        let publication = Publication::new(channel.clone(), publish.payload, Some(origin));
        let publication = publication.published_at(Some(ticket.since().into_std()));
        self.events.publication(publication.traced(publish.trace).with_attributes(publish.attributes));
    }

    /// Delivers the waiting publications, whenever the node has room.
    async fn pump(&self) {
        loop {
            self.waits.notified().await;
            while self.has_waiting() {
                std::future::poll_fn(|cx| self.events.poll_calm(PARTITION, cx)).await;
                if let Some(ticket) = self.deliver_one() {
                    ticket.taken(Taken::default());
                }
            }
        }
    }

    fn has_waiting(&self) -> bool {
        !self.accept.lock().waiting.is_empty()
    }

    fn deliver_one(&self) -> Option<Ticket> {
        let mut accept = self.accept.lock();
        let WaitingPublish(publish, ticket) = accept.waiting.pop()?;
        self.deliver(&mut accept, publish, &ticket);
        Some(ticket)
    }

    /// Takes no more publications, and refuses those that wait.
    fn stop(&self) {
        let waiting = {
            let mut accept = self.accept.lock();
            accept.stopped = true;
            std::mem::take(&mut accept.waiting)
        };
        self.metrics.state(BrokerState::Away);
        waiting.into_all().for_each(|WaitingPublish(_, ticket)| ticket.refuse(STOPPING));
    }

    fn count_subscriptions(&self, accept: &Accept) {
        self.metrics.subscriptions.set(i64::try_from(accept.subscribed.len()).unwrap_or(i64::MAX));
    }
}

impl Broker for MemoryBroker {
    fn publish(&self, mut publish: Publish, done: Done) {
        let ticket = Ticket::new(done, publish.order.take(), self.metrics.clone());
        match self.accept(publish, ticket) {
            Accepted::Delivered(ticket) => ticket.taken(Taken::default()),
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

    fn state(&self, _: Partition) -> BrokerState {
        if self.accept.lock().stopped { BrokerState::Away } else { BrokerState::Up }
    }
}
