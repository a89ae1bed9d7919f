//! The task that owns the publishing connection.
//!
//! Invariants:
//! - Nothing is written to a new connection before the old one is fenced off (see [`super::fence`]).
//! - Nothing is published on a new connection before Redis took a heartbeat on it. A replica takes publications, which
//!   do not reach all nodes; it takes no heartbeat.
//! - An answer has no timeout: a publish that Redis may still execute has not failed. The connection ends when Redis
//!   has answered nothing at all for a while (see [`crate::liveness::watchdog`]).
//! - Each turn takes the queued items, and refuses those that waited too long, even on a busy connection.

use std::{sync::Arc, task::Poll, time::Duration};

use futures_util::{FutureExt, StreamExt, future::Either, stream::FuturesUnordered};
use tokio::{
    io::AsyncWriteExt,
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    fence::Fence,
    opening::open,
    outgoing::Outgoing,
    pipeline::Pipeline,
    waits::{behind_others, end_by},
};
use crate::{
    backoff::Backoff,
    liveness::{
        split::{Found, Run},
        watchdog::{Verdict, Watchdog},
    },
    redis::{
        clock::clock_sync::ClockSync,
        connection::{
            address::RedisConfig,
            error::ConnectionError,
            finder::Finder,
            links::Links,
            open::Connection,
            place::Endpoint,
            stream::{WriteHalf, split, try_write},
        },
        metrics::RedisMetrics,
        names::Names,
        registry::agreed_version::AgreedVersion,
        subscriber::request::{Replace, Request},
    },
    ticket::STOPPING,
};

/// See the head of this file.
pub(crate) struct Publisher {
    pub(crate) config: Arc<RedisConfig>,
    pub(crate) finder: Finder,
    pub(crate) client_name: String,
    pub(crate) names: Arc<Names>,
    pub(crate) links: Arc<Links>,
    pub(crate) metrics: Arc<RedisMetrics>,
    /// The envelope version to write.
    pub(crate) agreed: Arc<AgreedVersion>,
    pub(crate) pipeline: Pipeline,
    /// The run of the server that the last connection led to, where the server told.
    pub(crate) run: Option<Run>,
    pub(crate) queue: UnboundedReceiver<Box<Outgoing>>,
    /// To the subscriber, whose connection has to be replaced at times.
    pub(crate) requests: UnboundedSender<Request>,
    pub(crate) next_unheard: Instant,
    pub(crate) clock_sync: ClockSync,
    /// The code word with which Redis refuses the heartbeat.
    pub(crate) heartbeat_refused: Option<String>,
    pub(crate) stop: CancellationToken,
    /// How long the items that wait may take once the node stops.
    pub(crate) goodbye: Duration,
    pub(crate) closing: Option<Instant>,
}

/// The node stops, and all is done.
struct Finished;

/// An event that most turns do not have.
enum Rare {
    /// The node stops.
    Stop,
    /// The next round is to begin at once.
    Hurry,
}

/// Why a connection is not used any more.
enum End {
    Finished,
    Lost(ConnectionError),
}

impl From<ConnectionError> for End {
    fn from(error: ConnectionError) -> Self {
        Self::Lost(error)
    }
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(error.into())
    }
}

impl Publisher {
    /// Publishes until the node stops and everything is answered, or its time to say goodbye is over.
    pub(crate) async fn run(mut self) {
        let mut fence = Fence::default();
        let mut backoff = Backoff::default();
        let mut connected_before = false;
        loop {
            let open = open(&self.config, &self.finder, &self.client_name, &self.names, &self.metrics, fence);
            let Ok((opened, same_fence)) = self.meanwhile(open).await else { return };
            fence = same_fence;
            let error = match opened {
                Ok((mut connection, heartbeat, found)) => {
                    self.heartbeat_answered(heartbeat);
                    self.arrived(&found, connection.era);
                    if let Some(apart) = self.links.arrived(&connection.endpoint, found) {
                        // Where its task has ended, there is nothing to interrupt.
                        let _ = self.requests.send(Request::Split(apart));
                    }
                    self.clock_sync.connected();
                    if std::mem::replace(&mut connected_before, true) {
                        self.metrics.reconnected(self.links.publisher.name);
                    }
                    self.links.up(&self.links.publisher);
                    match self.serve(&mut connection, &mut backoff).await {
                        End::Finished => return,
                        End::Lost(error) => {
                            self.replace_other(&error);
                            error
                        }
                    }
                }
                Err(error) => error,
            };
            self.links.down(&self.links.publisher, &error);
            self.links.silent(false);
            self.pipeline.disconnected();
            self.pipeline.hold(false);
            let wait = if error.is_configuration() { Backoff::configuration() } else { backoff.next() };
            if self.meanwhile(tokio::time::sleep(wait)).await.is_err() {
                return;
            }
        }
    }

    /// There is a new connection. Only the same run of the server knows what it ran.
    fn arrived(&mut self, found: &Result<Found, String>, era: Option<u64>) {
        let run = found.as_ref().ok().map(|found| found.run.clone());
        self.pipeline.connected(run.as_ref(), era, run.is_some() && run == self.run);
        self.run = run;
    }

    /// Publishes on one connection for as long as it lasts.
    async fn serve(&mut self, connection: &mut Connection, backoff: &mut Backoff) -> End {
        let Connection { stream, reader, endpoint, .. } = connection;
        let (mut from, mut to) = split(stream);
        let (stop, links) = (self.stop.clone(), self.links.clone());
        let stopped = || stop.cancelled().map(|()| Rare::Stop);
        let hurry = || links.hurry.notified().map(|()| Rare::Hurry);
        // Each of these is polled only once it is woken. As branches, all would be polled in each turn.
        let mut rare = FuturesUnordered::from_iter([Either::Left(stopped()), Either::Right(hurry())]);
        let mut watchdog = Watchdog::new(self.config.watch, Instant::now().into_std());
        let mut timer = std::pin::pin!(sleep_until(Instant::now()));
        let mut has_read = false;
        loop {
            // One reading of the clock for each turn.
            let now = Instant::now();
            if std::mem::take(&mut has_read) && watchdog.sign(now.into_std()) {
                self.hold(false);
            }
            if let Err(error) = self.watch(&mut watchdog, endpoint, now) {
                return error.into();
            }
            self.fill(now);
            if let Err(error) = self.write_at_once(&mut to).await {
                return error.into();
            }
            let watch = Instant::from_std(watchdog.deadline());
            end_by(timer.as_mut(), self.next_deadline().map_or(watch, |deadline| deadline.min(watch)));
            let result: Result<(), End> = tokio::select! {
                biased;
                read = reader.fill(&mut from) => read.map_err(End::from).and_then(|read| {
                    self.metrics.bytes_received.inc_by(read as u64);
                    has_read = true;
                    self.take_answers(reader, &mut watchdog, backoff).map_err(End::from)
                }),
                written = to.write_buf(self.pipeline.unwritten()), if !self.pipeline.unwritten().is_empty() => {
                    written.map(|written| self.count_written(written)).map_err(End::from)
                }
                item = self.queue.recv(), if self.closing.is_none() => {
                    self.take_items(item).await;
                    Ok(())
                }
                // Behind what each publish needs: all that is queued is taken at once, so they have their turn.
                Some(event) = rare.next() => {
                    match event {
                        Rare::Stop if self.closing.is_some() => {}
                        Rare::Stop => self.close(),
                        Rare::Hurry => {
                            rare.push(Either::Right(hurry()));
                            watchdog.hurry(Instant::now().into_std());
                        }
                    }
                    Ok(())
                }
                () = timer.as_mut() => Ok(()),
            };
            if let Err(end) = result {
                return end;
            }
            if self.is_finished() {
                return End::Finished;
            }
        }
    }

    /// Encodes the items that may be written now, then refuses those that have waited too long. In this order: an item
    /// that may be written now is not refused.
    fn fill(&mut self, now: Instant) {
        self.take_queued();
        if !self.pipeline.rests() {
            self.pipeline.fill(self.agreed.version());
            let why = if self.pipeline.is_held() {
                "Redis does not answer".into()
            } else {
                self.pipeline.trouble()
            };
            self.pipeline.expire(now, &why);
        }
        self.count_queue();
    }

    /// Writes what the socket takes now, before anything is waited for.
    async fn write_at_once(&mut self, to: &mut WriteHalf<'_>) -> std::io::Result<()> {
        let out = self.pipeline.unwritten();
        if out.is_empty() {
            return Ok(());
        }
        let written = match to {
            WriteHalf::Left(socket) => try_write(socket, out)?,
            WriteHalf::Right(tls) => match futures_util::poll!(std::pin::pin!(tls.write_buf(out))) {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            },
        };
        self.count_written(written);
        Ok(())
    }

    fn count_written(&self, bytes: usize) {
        self.metrics.bytes_sent.inc_by(bytes as u64);
    }

    /// An error that concerns Redis, and not this connection alone, ends the subscriber's connection too.
    fn replace_other(&self, error: &ConnectionError) {
        let replace = match error {
            ConnectionError::Silent(silence) => Replace::Silent(*silence),
            ConnectionError::Demoted | ConnectionError::Switched => Replace::Demoted,
            ConnectionError::Moved => Replace::Moved,
            ConnectionError::Split => Replace::Split,
            _ => return,
        };
        // Where its task has ended, so has its connection.
        let _ = self.requests.send(Request::Replace(replace));
    }

    /// Does what the watchdog says.
    fn watch(
        &mut self,
        watchdog: &mut Watchdog,
        here: &Endpoint,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        if self.links.take_switch(here) {
            match self.finder {
                Finder::Owner(_) => self.pipeline.leave(now),
                _ => return Err(ConnectionError::Switched),
            }
        }
        if self.pipeline.has_left(now) {
            return Err(ConnectionError::Moved);
        }
        if self.links.take_move() {
            return Err(ConnectionError::Split);
        }
        match watchdog.ask(now.into_std()) {
            Verdict::Wait => {}
            // Once the node stops, the state of Redis does not matter.
            Verdict::BeginRound if self.closing.is_some() => watchdog.answered(),
            Verdict::BeginRound => self.pipeline.begin_round(self.links.begin_round()),
            Verdict::Away => self.hold(true),
            Verdict::GiveUp => return Err(ConnectionError::Silent(self.config.watch.give_up)),
        }
        Ok(())
    }

    /// Notes whether Redis answers nothing.
    fn hold(&mut self, silent: bool) {
        self.links.silent(silent);
        self.pipeline.hold(silent);
        if !silent {
            tracing::info!("Redis answers again");
        }
    }

    /// Does `work`, while items come in and expire.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Finished> {
        let mut work = std::pin::pin!(work);
        let stop = self.stop.clone();
        let mut stopped = std::pin::pin!(stop.cancelled());
        loop {
            self.take_queued();
            self.pipeline.expire(Instant::now(), &self.links.publisher.trouble());
            self.count_queue();
            let deadline = self.next_deadline();
            tokio::select! {
                done = &mut work => return Ok(done),
                item = self.queue.recv(), if self.closing.is_none() => self.take_items(item).await,
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {}
                () = &mut stopped, if self.closing.is_none() => self.close(),
            }
            if self.is_finished() {
                return Err(Finished);
            }
        }
    }

    /// Takes the first item, and lets the others that come with it arrive: the next turn takes them.
    async fn take_items(&mut self, first: Option<Box<Outgoing>>) {
        let Some(first) = first else { return self.close() };
        self.pipeline.push(first);
        // Others are about to publish: each message would be a write of its own.
        behind_others().await;
    }

    /// Takes all queued items. An item has its turn, and can expire, only once it is taken.
    fn take_queued(&mut self) {
        for _ in 0..self.queue.len() {
            match self.queue.try_recv() {
                Ok(item) => self.pipeline.push(item),
                Err(_) => return,
            }
        }
    }

    fn count_queue(&self) {
        let length = self.pipeline.depth() + self.queue.len();
        self.metrics.queue.set(i64::try_from(length).unwrap_or(i64::MAX));
    }

    /// The node stops. No new items are taken, and those that wait have until the goodbye ends.
    fn close(&mut self) {
        self.closing = Some(Instant::now() + self.goodbye);
        self.queue.close();
        self.take_queued();
    }

    fn is_finished(&mut self) -> bool {
        let Some(deadline) = self.closing else { return false };
        if deadline <= Instant::now() {
            self.pipeline.expire(Instant::now() + self.goodbye, STOPPING);
            return true;
        }
        self.pipeline.is_empty()
    }

    /// When the next item will have waited too long, or the goodbye ends.
    fn next_deadline(&mut self) -> Option<Instant> {
        let items = if self.pipeline.rests() { None } else { self.pipeline.next_deadline() };
        items.into_iter().chain(self.closing).min()
    }
}

mod answers;
