//! The task that owns the subscribing connection, sends all its commands and reads everything on it.
//!
//! Invariants:
//! - A connection is dropped before the next one is opened, and its bytes with it: no message of an older connection
//!   enters the node after the first message of a newer one.
//! - The canary is heard here, in the order of the stream, ahead of the shards.
//! - The task reads from Redis only while the node has room. At most the bytes of one read and one message enter beyond
//!   that room.
//! - The task tries to connect for as long as it takes.

use std::{sync::Arc, time::Instant};

use bytes::BytesMut;
use fanfare_core::broker::Interruption;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    io::AsyncWriteExt,
    sync::mpsc::UnboundedReceiver,
    time::{Sleep, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    incoming::Incoming,
    request::{Confirmation, Replace, Request},
    table::{commands::BATCH, subscriptions::Table},
};
use crate::{
    backoff::Backoff,
    envelope::MAX_HEADER,
    liveness::{
        canary::Canary,
        progress::{CHECK, Progress, RETRIED, RETRY},
    },
    redis::{
        connection::{
            address::RedisConfig, error::ConnectionError, finder::Finder, links::Links, open::Connection,
            reach::reach, stream::split,
        },
        metrics::RedisMetrics,
        names::Names,
    },
};

/// See the head of this file.
pub(crate) struct Subscriber {
    pub(crate) config: Arc<RedisConfig>,
    pub(crate) finder: Finder,
    pub(crate) client_name: String,
    pub(crate) names: Arc<Names>,
    pub(crate) links: Arc<Links>,
    pub(crate) metrics: Arc<RedisMetrics>,
    pub(crate) incoming: Incoming,
    pub(crate) table: Table<Confirmation>,
    pub(crate) requests: UnboundedReceiver<Request>,
    pub(crate) stop: CancellationToken,
    pub(crate) progress: Progress,
}

/// The node stops.
struct Stopped;

impl Subscriber {
    /// Subscribes and delivers until the node stops.
    pub(crate) async fn run(mut self) {
        let mut connected_before = false;
        loop {
            let (config, finder) = (self.config.clone(), self.finder.clone());
            let name = self.client_name.clone();
            let max_bulk = self.incoming.message_bytes + MAX_HEADER;
            let metrics = self.metrics.clone();
            let opening = reach(&config, &finder, &name, max_bulk, &metrics);
            let Ok(opened) = self.meanwhile(opening).await else { return };
            let served = match opened {
                Ok(mut connection) => {
                    if std::mem::replace(&mut connected_before, true) {
                        self.metrics.reconnected(self.links.subscriber.name);
                    }
                    self.serve(&mut connection).await
                }
                Err(error) => Err(error),
            };
            let Err(error) = served else { return };
            self.lost(&error);
            let wait = if error.is_configuration() {
                Backoff::configuration()
            } else {
                self.progress.backoff.next()
            };
            if self.meanwhile(sleep(wait)).await.is_err() {
                return;
            }
        }
    }

    /// Works on one connection for as long as it lasts. `Ok` once the node stops.
    async fn serve(&mut self, connection: &mut Connection) -> Result<(), ConnectionError> {
        let Connection { stream, reader, .. } = connection;
        let (mut from, mut to) = split(stream);
        let mut out = BytesMut::new();
        let stop = self.stop.clone();
        // Polled only once it is woken. As a branch, the token would be polled in each turn.
        let mut stopped = FuturesUnordered::from_iter([stop.cancelled()]);
        let mut timer = std::pin::pin!(sleep(CHECK));
        self.progress.connected(self.links.canary(Canary::connected), self.config.watch);
        self.table.connected();
        loop {
            while let Some(command) = self.table.next_command() {
                command.write(&self.names, &mut out);
                self.metrics.sent(command.kind());
            }
            self.set(timer.as_mut());
            tokio::select! {
                read = self.incoming.read(&mut self.progress.deafness, &self.links, reader, &mut from) => {
                    read.map_err(|error| self.ended(error))?;
                    self.gather(reader)?;
                }
                written = to.write_buf(&mut out), if !out.is_empty() => {
                    let written = written.map_err(|error| self.ended(error))?;
                    self.metrics.bytes_sent.inc_by(written as u64);
                }
                request = self.requests.recv() => match request {
                    Some(request) => self.take_requests(request)?,
                    None => return Ok(()),
                },
                () = timer.as_mut() => self.tick()?,
                Some(()) = stopped.next() => return Ok(()),
            }
            self.answer();
        }
    }

    /// Does `work` without a connection, while requests come in.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        let mut work = std::pin::pin!(work);
        let stop = self.stop.clone();
        let mut stopped = std::pin::pin!(stop.cancelled());
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                request = self.requests.recv() => {
                    // Nothing to do: the connection that would be replaced does not exist.
                    let _ = self.take_requests(request.ok_or(Stopped)?);
                    self.answer();
                }
                () = &mut stopped => return Err(Stopped),
            }
        }
    }

    /// Takes the first request and the others that came with it, so that they share commands.
    ///
    /// # Errors
    /// Where the connection is to be replaced. The other requests are taken all the same.
    fn take_requests(&mut self, first: Request) -> Result<(), ConnectionError> {
        let now = Instant::now();
        let mut next = Some(first);
        let mut taken = 0;
        let mut result = Ok(());
        while let Some(request) = next {
            match request {
                Request::Subscribe(channel, confirmation) => self.table.subscribe(&channel, confirmation),
                Request::Unsubscribe(channel) => self.table.unsubscribe(&channel, now),
                Request::Unheard(channel, since) => {
                    if self.table.held_since(&channel, since) {
                        result = result.and_then(|()| self.deaf());
                    }
                }
                Request::Replace(Replace::Deaf(generation)) => {
                    if generation == self.progress.generation {
                        result = result.and_then(|()| self.deaf());
                    }
                }
                Request::Replace(Replace::Silent(silence)) => result = Err(ConnectionError::Silent(silence)),
                Request::Replace(Replace::Demoted) => result = Err(ConnectionError::Demoted),
                Request::Replace(Replace::Moved) => result = Err(ConnectionError::Moved),
                Request::Replace(Replace::Split) => result = Err(ConnectionError::Split),
                Request::Split(split) => self.progress.split = self.progress.split.max(Some(split)),
            }
            taken += 1;
            next = if taken < BATCH { self.requests.try_recv().ok() } else { None };
        }
        self.tell_split();
        result
    }

    /// A publication reached no subscriber, though this node is subscribed. A node that did not keep up with reading
    /// reads on first: messages are there, and the reason comes behind them.
    fn deaf(&self) -> Result<(), ConnectionError> {
        if self.progress.deafness.is_behind() { Ok(()) } else { Err(ConnectionError::Deaf) }
    }

    fn answer(&mut self) {
        for (confirmation, answer) in self.table.take_answers() {
            // A waiter that is gone is not told.
            let _ = confirmation.send(answer);
        }
        self.metrics.broker.subscriptions.set(i64::try_from(self.table.len()).unwrap_or(i64::MAX));
    }

    fn lost(&mut self, error: &ConnectionError) {
        let whole_until = self.links.canary(|canary| {
            canary.disconnected();
            canary.whole_until()
        });
        self.links.down(&self.links.subscriber, error);
        self.interrupted(error.interruption(), whole_until);
        self.table.disconnected();
        if error.is_configuration() {
            self.table.forbid_all(&error.to_string());
        }
        self.answer();
    }

    pub(super) fn interrupted(&mut self, cause: Interruption, whole_until: Option<Instant>) {
        if self.progress.outage.lost(whole_until) {
            tracing::warn!(cause = cause.name(), "subscriptions are interrupted: messages may be missed");
            self.progress.cause = cause;
            self.incoming.events.interrupted(self.incoming.partition, cause);
        }
    }

    /// Tells the node that the interruption is over, once all subscriptions are settled and the canary was heard.
    pub(super) fn look_whether_restored(&mut self) {
        let is_heard = self.links.canary(|canary| canary.is_heard());
        if is_heard {
            // Not before: else a Redis that confirms everything and delivers nothing would be asked in a storm.
            self.progress.backoff.reset();
        }
        if let Some(mut outage) = self.progress.outage.restored(is_heard, Instant::now()) {
            if self.progress.cause == Interruption::Split {
                outage += self.progress.split.take().unwrap_or_default();
            }
            tracing::info!(seconds = outage.as_secs_f64(), "subscriptions are restored");
            self.incoming.events.restored(self.incoming.partition, outage);
        }
        if self.progress.outage.is_up() {
            self.table.restored();
        }
        self.tell_split();
    }

    /// Tells the node of a split that is over. Within an interruption it is told at the end of the interruption.
    fn tell_split(&mut self) {
        if self.progress.outage.is_up()
            && let Some(split) = self.progress.split.take()
        {
            let seconds = split.as_secs_f64();
            tracing::warn!(
                seconds,
                "nodes were on two Redis servers that both took writes: messages were missed"
            );
            self.incoming.events.interrupted(self.incoming.partition, Interruption::Split);
            self.incoming.events.restored(self.incoming.partition, split);
        }
    }

    /// The connection ended. Why.
    fn ended(&self, error: std::io::Error) -> ConnectionError {
        if self.progress.deafness.is_behind() { ConnectionError::Overflow(error) } else { error.into() }
    }

    fn tick(&mut self) -> Result<(), ConnectionError> {
        let now = Instant::now();
        if self.progress.deafness.is_deaf(self.links.canary(|canary| canary.expected_since()), now) {
            return Err(ConnectionError::Deaf);
        }
        self.table.tick(now);
        if self.progress.next_retry <= now {
            self.progress.next_retry = now + RETRY;
            self.table.retry_forbidden(RETRIED);
        }
        if self.progress.next_check <= now {
            self.progress.next_check = now + CHECK;
            self.table.retry_forbidden(usize::MAX);
            if !self.progress.unchecked {
                self.table.ask();
            }
        }
        Ok(())
    }

    /// Sets the timer to the next deadline.
    fn set(&self, timer: std::pin::Pin<&mut Sleep>) {
        let Progress { next_check, next_retry, deafness, .. } = &self.progress;
        let retry = self.table.is_any_forbidden().then_some(*next_retry);
        let due = self.table.next_deadline().into_iter().chain(retry);
        let due = due.fold(deafness.deadline().min(*next_check), Instant::min);
        let due = due.into();
        if timer.deadline() != due {
            timer.reset(due);
        }
    }
}
