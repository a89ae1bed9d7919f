//! Takes and delivers publications.
//!
//! Invariants:
//! - Publications are delivered in the order in which they were accepted. While little is on its way to the node's
//!   shards and nothing waits, they are delivered under the lock that accepts them. Otherwise the pump delivers them,
//!   by turns ([`Queue`]).
//! - A publication gets its position, and is in the history, under the lock that accepts it, before it is delivered.
//! - No publish is answered under the lock.

use std::{
    collections::HashSet,
    sync::Arc,
    task::{Context, Waker},
};

use bytes::Bytes;
use fanfare_core::{
    Attributes, Backend, Broker, Channel, FastHash, Incarnation, Origin, Partition, Position, Publication,
    Publish, Taken,
    broker::{BrokerEvents, BrokerState, ControlMessage, Done, Recipient, SubscribeFuture},
};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    events::Events,
    history::{MemoryHistory, SWEEP},
    once::{FULL, Keys},
    outbox::MemoryOutbox,
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
    history: Arc<MemoryHistory>,
    /// Wakes the pump when a publish waits.
    waits: Notify,
}

#[derive(Default)]
struct Accept {
    sequence: u64,
    subscribed: HashSet<Channel, FastHash>,
    waiting: Queue,
    keys: Keys,
    stopped: bool,
}

/// The result of a publish under the lock.
enum Accepted {
    Delivered(Ticket, Delivered),
    Refused(Ticket, String),
    Waits,
}

/// The result of a publish whose turn came: taken, or the reason why it is refused.
type Delivered = Result<Taken, &'static str>;

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
        history: Arc::new(MemoryHistory::new(node.limits.history_bytes, metrics.evicted.clone())),
        metrics,
        accept: Mutex::default(),
        waits: Notify::new(),
    });
    let (pump, stop) = (broker.clone(), stop.clone());
    tasks.spawn(async move {
        let work = async { tokio::join!(pump.pump(), pump.sweep()) };
        stop.run_until_cancelled(work).await;
        pump.stop();
    });
    let events = Arc::new(Events::new(broker.metrics.clone()));
    let entries = broker.metrics.presence_entries.clone();
    let presence = Arc::new(MemoryPresence::new(entries, events.clone()));
    let backend = Backend {
        history: broker.history.clone(),
        presence: presence.clone(),
        outbox: Arc::new(MemoryOutbox { events, presence }),
        revocations: Arc::new(MemoryRevocations::default()),
        broker,
    };
    (backend, Arc::new(MemoryRegistry::default()))
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
            let delivered = self.deliver(&mut accept, publish, &ticket);
            return Accepted::Delivered(ticket, delivered);
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

    #[inline]
    fn deliver(&self, accept: &mut Accept, publish: Publish, ticket: &Ticket) -> Delivered {
        if publish.retention.is_none() && publish.attributes.is_none() {
            self.publish_now(accept, publish, ticket);
            return Ok(Taken::default());
        }
        self.deliver_once(accept, publish, ticket)
    }

    /// Delivers a publish that may be kept, and may have an idempotency key.
    fn deliver_once(&self, accept: &mut Accept, mut publish: Publish, ticket: &Ticket) -> Delivered {
        let attributes = publish.attributes.as_mut();
        let Some(key) = attributes.and_then(|attributes| attributes.idempotency_key.take()) else {
            let position = self.publish_now(accept, publish, ticket);
            return Ok(Taken { position, duplicate: false });
        };
        if publish.attributes.as_deref() == Some(&Attributes::default()) {
            publish.attributes = None;
        }
        let (key, now) = ((publish.channel.clone(), key), Instant::now());
        if let Some(position) = accept.keys.find(&key, now) {
            return Ok(Taken { position, duplicate: true });
        }
        if accept.keys.is_full() {
            return Err(FULL);
        }
        let position = self.publish_now(accept, publish, ticket);
        accept.keys.took(key, position, now);
        Ok(Taken { position, duplicate: false })
    }

    /// Keeps a publication where it is to be kept, and delivers it where the node is subscribed. Its position.
    fn publish_now(&self, accept: &mut Accept, publish: Publish, ticket: &Ticket) -> Option<Position> {
        accept.sequence += 1;
        let channel = accept.subscribed.get(&publish.channel);
        if channel.is_none() && publish.retention.is_none() {
            return None;
        }
        let origin = Origin { node: self.incarnation, session: publish.session, sequence: accept.sequence };
        let Publish { payload, trace, attributes, retention, .. } = publish;
        let since = ticket.since().into_std();
        let position = retention.map(|retention| {
            let kept = Publication::new(publish.channel, payload.clone(), Some(origin));
            let kept = kept.published_at(Some(since)).with_attributes(attributes.clone());
            self.history.append(kept, retention)
        });
        if let Some(channel) = channel {
            self.metrics.received.inc();
            let publication = Publication::new(channel.clone(), payload, Some(origin));
            let publication = publication.published_at(Some(since)).with_attributes(attributes);
            self.events.publication(publication.traced(trace).at(position));
        }
        position
    }

    /// Delivers the waiting publications, whenever the node has room.
    async fn pump(&self) {
        loop {
            self.waits.notified().await;
            while self.has_waiting() {
                std::future::poll_fn(|cx| self.events.poll_calm(PARTITION, cx)).await;
                if let Some((ticket, delivered)) = self.deliver_one() {
                    answer(ticket, delivered);
                }
            }
        }
    }

    /// Drops what has expired, once a second.
    async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.history.sweep();
            self.accept.lock().keys.drop_expired(Instant::now());
        }
    }

    fn has_waiting(&self) -> bool {
        !self.accept.lock().waiting.is_empty()
    }

    fn deliver_one(&self) -> Option<(Ticket, Delivered)> {
        let mut accept = self.accept.lock();
        let WaitingPublish(publish, ticket) = accept.waiting.pop()?;
        let delivered = self.deliver(&mut accept, publish, &ticket);
        Some((ticket, delivered))
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

fn answer(ticket: Ticket, delivered: Delivered) {
    match delivered {
        Ok(taken) => ticket.taken(taken),
        Err(why) => ticket.refuse(why),
    }
}

impl Broker for MemoryBroker {
    fn publish(&self, mut publish: Publish, done: Done) {
        let ticket = Ticket::new(done, publish.order.take(), self.metrics.clone());
        match self.accept(publish, ticket) {
            Accepted::Delivered(ticket, delivered) => answer(ticket, delivered),
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
