//! The node's side of the two tasks.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::{
    Broker, Channel, Publish, SubscribeError,
    broker::{BrokerState, Done, Recipient, SubscribeFuture},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::Instant,
};

use super::{
    connection::links::Links,
    metrics::RedisMetrics,
    publisher::outgoing::{Backlog, Outgoing, What},
    subscriber::request::Request,
};
use crate::ticket::Ticket;

/// How many subscriptions may wait for their confirmation.
pub(super) const MAX_WAITING: usize = 20_000;

/// See the head of this file.
pub(super) struct RedisBroker {
    pub(super) queue: mpsc::UnboundedSender<Outgoing>,
    pub(super) backlog: Backlog,
    pub(super) requests: mpsc::UnboundedSender<Request>,
    pub(super) subscribing: Arc<Semaphore>,
    pub(super) links: Arc<Links>,
    pub(super) metrics: Arc<RedisMetrics>,
    pub(super) message_bytes: usize,
}

impl Broker for RedisBroker {
    fn publish(&self, publish: Publish, done: Done) {
        let Publish { channel, payload, session, order, trace } = publish;
        let ticket = Ticket::new(done, order, self.metrics.broker.clone());
        if payload.len() > self.message_bytes {
            return ticket.refuse(format!("it is longer than {} bytes", self.message_bytes));
        }
        let room = match ticket.order() {
            Some(_) => None,
            None => match self.backlog.room(payload.len()) {
                None => return ticket.refuse("too much waits for Redis"),
                room => room,
            },
        };
        let since = ticket.since();
        let what = What::Publication { channel, payload, session, trace, ticket };
        // Where the task has ended, the ticket answers by being dropped.
        let _ = self.queue.send(Outgoing { what, since, _room: room });
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
        let room = self.backlog.room(message.len()).filter(|_| message.len() <= self.message_bytes);
        if room.is_none() {
            self.metrics.broker.controls_refused.inc();
            tracing::warn!(
                bytes = message.len(),
                "a control message is too long, or too much waits for Redis"
            );
            return;
        };
        let what = What::Control { to, body: message };
        if self.queue.send(Outgoing { what, since: Instant::now(), _room: room }).is_err() {
            self.metrics.broker.controls_refused.inc();
        }
    }

    fn state(&self) -> BrokerState {
        self.links.state()
    }
}
