//! Redis Pub/Sub as the broker: two connections of our own, each owned by one task, and a small pool for the
//! registry.
//!
//! - `names`: what channels and keys are called
//! - `stream`, `tls`: the socket of a connection, and TLS on it
//! - `connection`, `resp`, `link`: one connection, what comes on it, and what is known of it
//! - `code`: what an error of Redis means, and what to do about it
//! - `outgoing`, `pipeline`, `fence`, `publisher`: the way out
//! - `table`, `commands`, `incoming`, `ear`, `standing`, `progress`, `request`, `subscriber`: the way in
//! - `canary`, `watchdog`: is Redis alive, and does this node hear what it says
//! - `clock`, `timekeeper`: when something was published, by the one clock that all nodes can ask
//! - `chain`: what was lost, came late or came twice
//! - `trust`: what of an envelope is believed
//! - `server`: which Redis it is, and whether there are two
//! - `registry`, `agreed`: which nodes there are, and the envelope version that all of them read
//! - `metrics`: what is counted of it

mod agreed;
mod canary;
mod chain;
mod clock;
mod code;
mod commands;
mod connection;
mod ear;
mod fence;
mod incoming;
mod link;
pub(crate) mod metrics;
pub(crate) mod names;
mod outgoing;
mod pipeline;
mod progress;
mod publisher;
pub(crate) mod registry;
mod request;
mod resp;
mod server;
mod standing;
mod stream;
mod subscriber;
mod table;
mod timekeeper;
pub(crate) mod tls;
mod trust;
pub(crate) mod watchdog;

use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::{
    Broker, Channel, Publish, SubscribeError,
    broker::{BrokerEvents, BrokerState, Done, Recipient, SubscribeFuture},
    registry::RegistryError,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::{
    agreed::Agreed,
    chain::Sent,
    clock::Clock,
    incoming::Incoming,
    link::Links,
    names::Names,
    outgoing::{Backlog, Outgoing, What, Writer},
    pipeline::Pipeline,
    progress::Progress,
    publisher::Publisher,
    registry::RedisRegistry,
    request::Request,
    subscriber::Subscriber,
    table::Table,
    timekeeper::Timekeeper,
    trust::{Known, Trust},
};
use crate::{
    driver::{Node, Parts, RedisConfig},
    envelope,
    metrics::Metrics,
    tasks::Tasks,
    ticket::Ticket,
};

/// How many subscriptions may wait for their confirmation.
const MAX_WAITING: usize = 20_000;

/// The node's side of the two tasks.
struct RedisBroker {
    queue: mpsc::UnboundedSender<Outgoing>,
    backlog: Backlog,
    requests: mpsc::UnboundedSender<Request>,
    subscribing: Arc<Semaphore>,
    links: Arc<Links>,
    metrics: Arc<Metrics>,
    message_bytes: usize,
}

/// Starts both tasks.
///
/// # Errors
/// Where the pool of the registry cannot be made. Redis need not be there.
pub(crate) fn start(
    node: &Node,
    config: RedisConfig,
    events: Arc<dyn BrokerEvents>,
    metrics: Arc<Metrics>,
    tasks: &Tasks,
    stop: &CancellationToken,
) -> Result<Parts, RegistryError> {
    let names = Arc::new(Names::new(config.prefix.clone(), node.incarnation));
    let agreed = Arc::new(Agreed::new(envelope::VERSION));
    let links = Arc::new(Links::new(metrics.clone()));
    let (queue, queued) = mpsc::unbounded_channel();
    let (requests, requested) = mpsc::unbounded_channel();
    let known = Arc::new(Known::default());
    let registry = RedisRegistry {
        pool: registry::pool(&config, links.clone())?,
        names: names.clone(),
        node: node.incarnation,
        metrics: metrics.clone(),
        agreed: agreed.clone(),
        links: links.clone(),
        requests: requests.clone(),
        known: known.clone(),
        others: Mutex::default(),
        said: Mutex::default(),
    };
    let config = Arc::new(config);
    let clock = Arc::new(Clock::new(node.incarnation));
    let writer = Writer {
        names: names.clone(),
        node: node.incarnation,
        sequence: 0,
        sent: Sent::default(),
        clock: clock.clone(),
    };
    let client_name = |link| format!("{}:{}:{link}", config.prefix, node.incarnation);
    tasks.spawn(
        Publisher {
            client_name: client_name(links.publisher.name),
            config: config.clone(),
            names: names.clone(),
            links: links.clone(),
            metrics: metrics.clone(),
            agreed,
            pipeline: Pipeline::new(writer, metrics.clone(), node.limits.publish_wait),
            queue: queued,
            requests: requests.clone(),
            next_doubt: Instant::now(),
            timekeeper: Timekeeper::new(clock.clone(), metrics.clone()),
            heartbeat_refused: None,
            stop: stop.clone(),
            goodbye: node.limits.goodbye,
            closing: None,
        }
        .run(),
    );
    let progress = Progress::new(config.watch);
    let message_bytes = node.limits.message_bytes;
    tasks.spawn(
        Subscriber {
            client_name: client_name(links.subscriber.name),
            config,
            names,
            links: links.clone(),
            metrics: metrics.clone(),
            incoming: Incoming {
                events,
                metrics: metrics.clone(),
                message_bytes,
                clock,
                known,
                trust: Trust::new(node.incarnation),
            },
            table: Table::new(),
            requests: requested,
            stop: stop.clone(),
            progress,
        }
        .run(),
    );
    let subscribing = Arc::new(Semaphore::new(MAX_WAITING));
    let backlog = Backlog::default();
    let broker = RedisBroker { queue, backlog, requests, subscribing, links, metrics, message_bytes };
    Ok((Arc::new(broker), Arc::new(registry)))
}

impl Broker for RedisBroker {
    fn publish(&self, publish: Publish, done: Done) {
        let Publish { channel, payload, session, order, trace } = publish;
        let ticket = Ticket::new(done, order, self.metrics.clone());
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
            self.metrics.controls_refused.inc();
            tracing::warn!(
                bytes = message.len(),
                "a control message is too long, or too much waits for Redis"
            );
            return;
        };
        let what = What::Control { to, body: message };
        if self.queue.send(Outgoing { what, since: Instant::now(), _room: room }).is_err() {
            self.metrics.controls_refused.inc();
        }
    }

    fn state(&self) -> BrokerState {
        self.links.state()
    }
}
