//! The broker that the node sees: it hands everything to the two tasks.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::{
    Broker, Channel, Partition, Publish, SubscribeError,
    broker::{BrokerState, Done, Recipient, SubscribeFuture},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::Instant,
};

use super::{
    connection::links::Links,
    metrics::RedisMetrics,
    publisher::outgoing::{Outgoing, OutgoingMessage, ServerBudget},
    subscriber::request::Request,
};
use crate::{bounds::too_long, ticket::Ticket};

/// The most subscriptions that may wait for their confirmation.
pub(super) const MAX_WAITING: usize = 20_000;

/// See the head of this file.
pub(crate) struct RedisBroker {
    pub(super) queue: mpsc::UnboundedSender<Box<Outgoing>>,
    pub(super) budget: ServerBudget,
    pub(super) requests: mpsc::UnboundedSender<Request>,
    pub(super) subscribing: Arc<Semaphore>,
    pub(super) links: Arc<Links>,
    pub(super) metrics: Arc<RedisMetrics>,
    pub(super) message_bytes: usize,
}

impl RedisBroker {
    /// Sends a control message. One that is sent through several partitions has a sequence.
    pub(crate) fn send_control(&self, to: Recipient, body: Bytes, sequence: Option<u64>) {
        let reservation = self.budget.reserve(body.len()).filter(|_| body.len() <= self.message_bytes);
        if reservation.is_none() {
            self.metrics.broker.controls_refused.inc();
            tracing::warn!(bytes = body.len(), "a control message is too long, or too much waits for Redis");
            return;
        };
        let message = OutgoingMessage::Control { to, body, sequence };
        let outgoing = Outgoing { message, since: Instant::now(), _reservation: reservation };
        if self.queue.send(Box::new(outgoing)).is_err() {
            self.metrics.broker.controls_refused.inc();
        }
    }

    /// The state of this Redis.
    pub(crate) fn state_here(&self) -> BrokerState {
        self.links.state()
    }

    /// See [`Broker::server`].
    pub(crate) fn server_here(&self) -> Option<String> {
        self.links.server()
    }
}

impl Broker for RedisBroker {
    fn publish(&self, publish: Publish, done: Done) {
        let (too_long, bytes) = (too_long(&publish, self.message_bytes), publish.bytes());
        let Publish { channel, payload, session, order, trace, attributes, retention } = publish;
        let ticket = Ticket::new(done, order, self.metrics.broker.clone());
        if let Some(why) = too_long {
            return ticket.refuse(why);
        }
        let reservation = match ticket.order() {
            Some(_) => None,
            None => match self.budget.reserve(bytes) {
                None => return ticket.refuse("too much waits for Redis"),
                reservation => reservation,
            },
        };
        let since = ticket.since();
        let message =
            OutgoingMessage::Publication { channel, payload, session, trace, attributes, retention, ticket };
        // Where the task has ended, the ticket answers by being dropped.
        let _ = self.queue.send(Box::new(Outgoing { message, since, _reservation: reservation }));
    }

    fn subscribe(&self, channel: &Channel) -> SubscribeFuture {
        let Ok(permit) = self.subscribing.clone().try_acquire_owned() else {
            return Box::pin(std::future::ready(Err(SubscribeError::Busy)));
        };
        let (confirm, confirmed) = oneshot::channel();
        // Where the task has ended, the receiver learns it.
        let _ = self.requests.send(Request::Subscribe(channel.clone(), confirm));
        Box::pin(async move {
            let _permit = permit;
            confirmed.await.unwrap_or(Err(SubscribeError::Unavailable))
        })
    }

    fn unsubscribe(&self, channel: &Channel) {
        // Where the task has ended, nothing is subscribed.
        let _ = self.requests.send(Request::Unsubscribe(channel.clone()));
    }

    fn control(&self, to: Recipient, message: Bytes) {
        self.send_control(to, message, None);
    }

    fn server(&self, _: Partition) -> Option<String> {
        self.server_here()
    }

    fn state(&self, _: Partition) -> BrokerState {
        self.state_here()
    }
}
