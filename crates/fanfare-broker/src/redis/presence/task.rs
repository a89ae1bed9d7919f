//! The task that writes this node's entries.
//!
//! Invariants:
//! - Changes are written in batches, one pipeline at a time, in their order. A batch that failed is written again.
//! - The expiry of a channel's hash is refreshed by each node that holds an entry in it. A hash that is gone is written
//!   anew.
//! - After the publisher connected again, which it does when Redis was started anew, all entries are written again.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Channel, broker::BrokerState};
use redis::Pipeline;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::local::{Change, Local};
use crate::{
    backoff::Backoff,
    redis::{
        connection::{commands::PooledCommands, links::Links},
        metrics::RedisMetrics,
        names::Names,
    },
};

/// The clients of one pipeline.
const BATCH: usize = 500;
/// How long a hash lives after its last refresh.
const TIME_TO_LIVE: Duration = Duration::from_secs(90);
/// The time between two refreshes of a channel.
const REFRESH_EVERY: Duration = Duration::from_secs(30);
/// The time between two looks at the state of Redis.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// See the head of this file.
pub(crate) struct PresenceWriter {
    pub(crate) local: Arc<Local>,
    pub(crate) commands: PooledCommands,
    pub(crate) names: Arc<Names>,
    pub(crate) links: Arc<Links>,
    pub(crate) metrics: Arc<RedisMetrics>,
    pub(crate) stop: CancellationToken,
}

impl PresenceWriter {
    /// Writes until the node stops. The entries of a node that stopped are not removed: they do not count once its
    /// heartbeat has expired, so clients that come back to another node meanwhile do not flap.
    pub(crate) async fn run(self) {
        let stop = self.stop.clone();
        stop.run_until_cancelled(self.write_for_ever()).await;
    }

    async fn write_for_ever(&self) {
        let mut backoff = Backoff::default();
        let mut next_refresh = Instant::now() + REFRESH_EVERY;
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
            changes.iter().for_each(|change| self.add(change, &mut pipeline));
            let written = self.carry_out::<()>("HSET, HDEL or EXPIRE", &pipeline).await;
            self.local.tried();
            if let Err(error) = written {
                self.local.put_back(changes);
                return Err(error);
            }
        }
    }

    fn add(&self, change: &Change, pipeline: &mut Pipeline) {
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
            for channel in channels {
                pipeline.cmd("EXPIRE").arg(self.names.presence(channel)).arg(TIME_TO_LIVE.as_secs());
            }
            let is_there: Vec<bool> = self.carry_out("EXPIRE", &pipeline).await?;
            let gone = channels.iter().zip(is_there).filter(|(_, is_there)| !is_there);
            gone.for_each(|(channel, _): (&Channel, _)| self.local.write_again(channel));
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
