//! The task that writes this node's entries.
//!
//! Invariants:
//! - Changes are written in batches, one pipeline at a time, in their order. A batch that failed is written again.
//! - The expiry of a channel's hash is refreshed by each node that holds an entry in it. A hash that is gone is written
//!   anew.
//! - After the publisher connected again, which it does when Redis was started anew, all entries are written again. So
//!   they are after another node removed some: it removes a note of this node behind them.
//! - The changes of a channel that makes events are written by a script, which tells them in the same step.
//! - The entries of such a channel outlive their node until a burial tells that they are gone.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Incarnation, broker::BrokerState};
use redis::Pipeline;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::local::{Change, Local};
use crate::{
    backoff::Backoff,
    redis::{
        connection::{commands::PooledCommands, links::Links},
        metrics::RedisMetrics,
        names::Names,
        outbox::{self, Channels, Ends, Subject},
    },
};

/// The clients of one pipeline.
const BATCH: usize = 500;
/// How long a hash lives after its last refresh.
const TIME_TO_LIVE: Duration = Duration::from_secs(90);
/// The same for a channel that makes events: longer than a cluster stands still.
const TOLD_TIME_TO_LIVE: Duration = Duration::from_secs(24 * 60 * 60);
/// The time between two refreshes of a channel.
const REFRESH_EVERY: Duration = Duration::from_secs(30);
/// The time between two looks at the state of Redis, and of this node in it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// See the head of this file.
pub(crate) struct PresenceWriter {
    pub(crate) local: Arc<Local>,
    pub(crate) commands: PooledCommands,
    pub(crate) names: Arc<Names>,
    pub(crate) links: Arc<Links>,
    pub(crate) metrics: Arc<RedisMetrics>,
    pub(crate) node: Incarnation,
    pub(crate) scripts: Arc<Channels>,
    pub(crate) ends: Arc<Ends>,
    pub(crate) goodbye: Duration,
    pub(crate) stop: CancellationToken,
}

impl PresenceWriter {
    /// Writes until the node stops. The entries of a node that stopped are not removed: they do not count once its
    /// heartbeat has expired, so clients that come back to another node meanwhile do not flap. The ends of connections are
    /// written to the last.
    pub(crate) async fn run(self) {
        let stop = self.stop.clone();
        stop.run_until_cancelled(self.write_for_ever()).await;
        if self.links.state() != BrokerState::Away {
            drop(timeout(self.goodbye, self.write_ends()).await);
        }
    }

    async fn write_for_ever(&self) {
        let mut backoff = Backoff::default();
        let (mut next_look, mut next_refresh) = (Instant::now(), Instant::now() + REFRESH_EVERY);
        let mut written_to = None;
        loop {
            tokio::select! {
                () = self.local.changed.notified() => {}
                () = sleep(LOOK_EVERY) => {}
            }
            if self.links.state() == BrokerState::Away {
                self.local.give_up();
                continue;
            }
            let here = self.links.here();
            if written_to != here {
                self.local.write_all_again();
                written_to = here;
            }
            let done = async {
                self.write_changes().await?;
                self.write_ends().await?;
                if next_look <= Instant::now() {
                    self.look_for_removal().await?;
                    next_look = Instant::now() + LOOK_EVERY;
                }
                if next_refresh <= Instant::now() {
                    self.refresh().await?;
                    next_refresh = Instant::now() + REFRESH_EVERY;
                }
                Ok::<_, String>(())
            };
            match done.await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    tracing::debug!(%error, "presence was not written: it is tried again");
                    self.metrics.presence_failures.inc();
                    sleep(backoff.next()).await;
                }
            }
        }
    }

    async fn write_changes(&self) -> Result<(), String> {
        loop {
            let changes = self.local.take(BATCH);
            if changes.is_empty() {
                return Ok(());
            }
            let mut pipeline = redis::pipe();
            if changes.iter().any(|change| change.is_occupied.is_some()) {
                self.scripts.note.load(&mut pipeline);
            }
            changes.iter().for_each(|change| self.add(change, &mut pipeline));
            let names = "HSET, HDEL, EXPIRE, SCRIPT LOAD or EVALSHA";
            let written = self.carry_out::<Vec<(u64, u64)>>(names, &pipeline).await;
            self.local.tried(written.is_ok());
            match written {
                Ok(told) => self.count_dropped(told.iter().map(|(dropped, _)| dropped).sum()),
                Err(error) => {
                    self.local.put_back(changes);
                    return Err(error);
                }
            }
        }
    }

    async fn write_ends(&self) -> Result<(), String> {
        while let Some(ends) = self.ends.oldest() {
            let pipeline = outbox::append(&ends, &self.names);
            let (dropped,): (u64,) = self.carry_out("XADD or XTRIM", &pipeline).await?;
            self.ends.written(&ends);
            self.count_dropped(dropped);
        }
        Ok(())
    }

    fn count_dropped(&self, dropped: u64) {
        self.metrics.broker.events_dropped(dropped);
    }

    fn add(&self, change: &Change, pipeline: &mut Pipeline) {
        if change.is_occupied.is_some() {
            let subject = Subject { names: &self.names, node: self.node, channel: &change.channel };
            let fields = change.fields.iter().map(|(client, entry)| {
                let entry = entry.as_ref().map_or(&[][..], |entry| &entry[..]);
                (client.to_string(), entry)
            });
            let seconds = TOLD_TIME_TO_LIVE.as_secs();
            pipeline.add_command(self.scripts.noting(subject, change.is_occupied, fields, seconds));
            return;
        }
        let key = self.names.presence(&change.channel);
        let mut is_set = false;
        for (client, value) in &change.fields {
            match value {
                Some(value) => {
                    pipeline.cmd("HSET").arg(&key).arg(client.to_string()).arg(&value[..]).ignore();
                    is_set = true;
                }
                None => {
                    pipeline.cmd("HDEL").arg(&key).arg(client.to_string()).ignore();
                }
            }
        }
        if is_set {
            pipeline.cmd("EXPIRE").arg(&key).arg(TIME_TO_LIVE.as_secs()).ignore();
        }
    }

    /// Refreshes the expiry of each channel, and writes those anew that are gone.
    async fn refresh(&self) -> Result<(), String> {
        for channels in self.local.channels().chunks(BATCH) {
            let mut pipeline = redis::pipe();
            for (channel, is_told) in channels {
                let time_to_live = if *is_told { TOLD_TIME_TO_LIVE } else { TIME_TO_LIVE };
                pipeline.cmd("EXPIRE").arg(self.names.presence(channel)).arg(time_to_live.as_secs());
            }
            let is_there: Vec<bool> = self.carry_out("EXPIRE", &pipeline).await?;
            let gone = channels.iter().zip(is_there).filter(|(_, is_there)| !is_there);
            gone.for_each(|((channel, _), _)| self.local.write_again(channel));
        }
        Ok(())
    }

    /// Writes everything again where another node took this one for dead, since it stood still for long.
    async fn look_for_removal(&self) -> Result<(), String> {
        if !self.local.has_any() {
            return Ok(());
        }
        let (key, seconds) = (self.names.present(self.node), TIME_TO_LIVE.as_secs());
        let (mut look, mut note) = (redis::pipe(), redis::pipe());
        look.cmd("EXPIRE").arg(&key).arg(seconds);
        let (is_there,): (bool,) = self.carry_out("EXPIRE", &look).await?;
        if !is_there {
            note.cmd("SET").arg(&key).arg(1).arg("EX").arg(seconds).ignore();
            self.carry_out::<()>("SET", &note).await?;
            self.local.write_all_again();
        }
        Ok(())
    }

    async fn carry_out<T: redis::FromRedisValue>(
        &self,
        names: &str,
        pipeline: &Pipeline,
    ) -> Result<T, String> {
        let mut connection = self.commands.connection().await?;
        self.commands.run_all(&mut connection, names, pipeline).await
    }
}
