//! The task that writes this node's entries.
//!
//! Invariants:
//! - Changes are written in batches, one pipeline at a time, in their order. A batch that failed is written again.
//! - A command that Redis refuses holds up its own channel alone. A channel whose key is not a hash is looked at now and
//!   then; everything else is tried again after a short while.
//! - The expiry of a channel's hash is refreshed by each node that holds an entry in it. A hash that is gone is written
//!   anew.
//! - After the publisher connected again, which it does when Redis was started anew, all entries are written again. So
//!   they are after another node removed some: it removes a note of this node behind them.
//! - The changes of a channel that makes events are written by a script, which tells them in the same step.
//! - The entries of such a channel outlive their node until a burial tells that they are gone.

use std::{collections::HashSet, sync::Arc, time::Duration};

use fanfare_core::{Channel, Incarnation, broker::BrokerState};
use redis::{Pipeline, RedisError, Value, from_redis_value};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    BATCH,
    local::{Change, Field, Local, Stored},
};
use crate::{
    backoff::Backoff,
    redis::{
        connection::{
            code::{NotRun, is_other_type},
            commands::PooledCommands,
            links::Links,
            pool::said,
        },
        metrics::RedisMetrics,
        names::Names,
        outbox::{self, Channels, Ends, Noted, Subject},
    },
};

/// How long a hash lives after its last refresh.
const TIME_TO_LIVE: Duration = Duration::from_secs(90);
/// The same for a channel that makes events: longer than a cluster stands still.
const TOLD_TIME_TO_LIVE: Duration = Duration::from_secs(24 * 60 * 60);
/// The time between two refreshes of a channel.
const REFRESH_EVERY: Duration = Duration::from_secs(30);
/// The time between two looks at the state of Redis, and of this node in it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The time between two looks at the keys that are not hashes.
const LOOK_AT_BLOCKED_EVERY: Duration = Duration::from_secs(5);

/// The commands that write changes.
const WRITES: &str = "HSET, HDEL, EXPIRE, SCRIPT LOAD or EVALSHA";

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

/// The times of work that comes back, and the last refusal in the log.
struct Upkeep {
    next_look: Instant,
    next_look_at_blocked: Instant,
    next_refresh: Instant,
    said: Option<String>,
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
        let (mut backoff, mut written_to, now) = (Backoff::default(), None, Instant::now());
        let mut upkeep = Upkeep {
            next_look: now,
            next_look_at_blocked: now,
            next_refresh: now + REFRESH_EVERY,
            said: None,
        };
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
                self.local.write_all_again(Stored::Maybe);
                written_to = here;
            }
            match self.write_once(&mut upkeep).await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    tracing::debug!(%error, "presence was not written: it is tried again");
                    self.metrics.presence_failures.inc();
                    sleep(backoff.next()).await;
                }
            }
        }
    }

    /// Does all that is due. What fails does not hold up the rest.
    async fn write_once(&self, upkeep: &mut Upkeep) -> Result<(), String> {
        let (now, mut done) = (Instant::now(), Ok(()));
        if upkeep.next_look <= now {
            upkeep.next_look = now + LOOK_EVERY;
            // Ahead of the changes: entries that are written anew since the connection is new may have been removed.
            done = self.look_for_removal().await;
        }
        done = done.and(self.write_changes(&mut upkeep.said).await);
        done = done.and(self.write_ends().await);
        if upkeep.next_look_at_blocked <= now {
            upkeep.next_look_at_blocked = now + LOOK_AT_BLOCKED_EVERY;
            done = done.and(self.look_at_blocked().await);
        }
        if upkeep.next_refresh <= now {
            let refreshed = self.refresh().await;
            if refreshed.is_ok() {
                upkeep.next_refresh = now + REFRESH_EVERY;
            }
            done = done.and(refreshed);
        }
        done
    }

    async fn write_changes(&self, last_said: &mut Option<String>) -> Result<(), String> {
        loop {
            let changes = self.local.take(BATCH);
            if changes.is_empty() {
                *last_said = None;
                return Ok(());
            }
            let Some((channel, error)) = self.write(changes).await? else { continue };
            let refusal = said(WRITES, &error);
            // A Cluster answers so while a slot moves, which the operator need not mend.
            let is_expected = error.code().and_then(|code| NotRun::of(code.as_bytes())).is_some();
            if !is_expected && last_said.as_ref() != Some(&refusal) {
                tracing::warn!(%channel, "{refusal}: some presence is not shown; it is tried again");
                *last_said = Some(refusal.clone());
            }
            return Err(refusal);
        }
    }

    /// Writes a batch. What is refused is put back: the first channel of it, and why.
    async fn write(&self, mut changes: Vec<Change>) -> Result<Option<(Channel, RedisError)>, String> {
        let mut pipeline = redis::pipe();
        if changes.iter().any(|change| change.is_occupied.is_some()) {
            self.scripts.note.load(&mut pipeline);
        }
        let mut count = |change| {
            let before = pipeline.len();
            self.add(change, &mut pipeline);
            pipeline.len() - before
        };
        let counts: Vec<usize> = changes.iter().map(&mut count).collect();
        let answers = match self.commands.connection().await {
            Ok(mut connection) => {
                let answers = self.commands.run_each(&mut connection, WRITES, pipeline).await;
                answers.inspect_err(|_| changes.iter_mut().for_each(Change::doubt))
            }
            Err(error) => Err(error),
        };
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => {
                self.local.tried(false);
                self.local.put_back(changes);
                return Err(error);
            }
        };
        let (mut answers, mut refused, mut first) = (answers.into_iter(), Vec::new(), None);
        for (mut change, count) in changes.into_iter().zip(counts) {
            let of_change: Vec<_> = answers.by_ref().take(count).collect();
            let is_taken: Vec<bool> = of_change.iter().map(Result::is_ok).collect();
            if change.is_occupied.is_none() {
                self.tell_returned(&change, &of_change);
            }
            match of_change.into_iter().collect::<Result<Vec<_>, _>>() {
                Ok(answers) => self.written(&change, answers),
                Err(error) if is_not_hash(&error) => self.block(&change.channel),
                Err(error) => {
                    first.get_or_insert_with(|| (change.channel.clone(), error));
                    if change.is_occupied.is_none() {
                        change.keep_refused(is_taken.into_iter());
                    }
                    refused.push(change);
                }
            }
        }
        self.look_at_told(&mut refused).await;
        self.local.tried(refused.is_empty());
        self.local.postpone(refused);
        Ok(first)
    }

    /// A script that was refused may have ended in the middle: finds out which of its entries are in Redis. Where Redis
    /// refuses this too, the script wrote none, since it reads each first.
    async fn look_at_told(&self, refused: &mut [Change]) {
        let is_in_doubt = |change: &&mut Change| change.is_occupied.is_some() && !change.fields.is_empty();
        let mut told: Vec<_> = refused.iter_mut().filter(is_in_doubt).collect();
        if told.is_empty() {
            return;
        }
        let mut look = redis::pipe();
        for change in &told {
            let clients = change.fields.iter().map(|field| field.client.to_string());
            look.cmd("HMGET").arg(self.names.presence(&change.channel)).arg(clients.collect::<Vec<_>>());
        }
        let Ok(answers) = self.carry_out_each("HMGET", look).await else {
            return told.into_iter().for_each(Change::doubt);
        };
        for (change, answer) in told.iter_mut().zip(answers) {
            let Ok(Ok(values)) = answer.map(from_redis_value::<Vec<Option<Value>>>) else { continue };
            for (field, value) in change.fields.iter_mut().zip(values) {
                // The client of an entry that was removed is still to be told.
                field.stored = match (value, field.stored) {
                    (Some(_), stored) => stored.max(Stored::Maybe),
                    (None, Stored::Removed) => Stored::Removed,
                    (None, _) => Stored::Not,
                };
            }
        }
    }

    fn written(&self, change: &Change, answers: Vec<Value>) {
        if change.is_occupied.is_some() {
            let told: Vec<Noted> = from_redis_value(Value::Array(answers)).unwrap_or_default();
            self.count_dropped(told.iter().map(|(dropped, ..)| dropped).sum());
            let joined: HashSet<String> = told.into_iter().flat_map(|(.., joined)| joined).collect();
            let removed = change.fields.iter().filter(|field| field.stored == Stored::Removed);
            let anew = removed.filter(|field| joined.contains(&field.client.to_string()));
            anew.for_each(|field| self.local.entered_anew(&change.channel, field));
        }
    }

    /// The same for a channel that makes no events: HSET says how many fields are new.
    fn tell_returned(&self, change: &Change, answers: &[Result<Value, RedisError>]) {
        let answered = change.fields.iter().zip(answers);
        let anew =
            answered.filter(|(field, answer)| field.entry.is_some() && matches!(answer, Ok(Value::Int(1))));
        anew.for_each(|(field, _)| self.local.entered_anew(&change.channel, field));
    }

    fn block(&self, channel: &Channel) {
        self.metrics.presence_failures.inc();
        if self.local.block(channel) {
            let key = self.names.presence(channel);
            tracing::warn!(
                %channel,
                "Redis answers WRONGTYPE: its key {key} is not a hash, so another program wrote it. Members of this \
                 channel are not shown: remove the key, and give that program other keys"
            );
        }
    }

    /// Writes the channels whose keys are not in the way any more.
    async fn look_at_blocked(&self) -> Result<(), String> {
        for channels in self.local.blocked().chunks(BATCH) {
            let mut pipeline = redis::pipe();
            for channel in channels {
                // The id of a node is not one of a client: there is not such a field.
                pipeline.cmd("HDEL").arg(self.names.presence(channel)).arg(self.node.to_string());
            }
            let answers = self.carry_out_each("HDEL", pipeline).await?;
            for (channel, answer) in channels.iter().zip(answers) {
                if answer.is_ok() {
                    tracing::info!(%channel, "members of this channel are written again");
                    self.local.unblock(channel);
                } else {
                    self.metrics.presence_failures.inc();
                }
            }
        }
        Ok(())
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
            let fields = change.fields.iter().map(|Field { client, entry, .. }| {
                let entry = entry.as_ref().map_or(&[][..], |entry| &entry[..]);
                (client.to_string(), entry)
            });
            let seconds = TOLD_TIME_TO_LIVE.as_secs();
            pipeline.add_command(self.scripts.noting(subject, change.is_occupied, fields, seconds));
            return;
        }
        let key = self.names.presence(&change.channel);
        let mut is_set = false;
        for Field { client, entry, .. } in &change.fields {
            match entry {
                Some(value) => {
                    pipeline.cmd("HSET").arg(&key).arg(client.to_string()).arg(&value[..]);
                    is_set = true;
                }
                None => {
                    pipeline.cmd("HDEL").arg(&key).arg(client.to_string());
                }
            }
        }
        if is_set {
            pipeline.cmd("EXPIRE").arg(&key).arg(TIME_TO_LIVE.as_secs());
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
            gone.for_each(|((channel, _), _)| self.local.write_again(channel, Stored::Maybe));
        }
        Ok(())
    }

    /// Writes everything again where another node took this one for dead, since it stood still for long.
    async fn look_for_removal(&self) -> Result<(), String> {
        if !self.local.has_any() {
            return Ok(());
        }
        let keys = [self.names.present(self.node), self.names.remembered(self.node)];
        let (mut look, mut note, seconds) = (redis::pipe(), redis::pipe(), TOLD_TIME_TO_LIVE.as_secs());
        for key in &keys {
            look.cmd("EXPIRE").arg(key).arg(seconds);
            note.cmd("SET").arg(key).arg(1).arg("EX").arg(seconds).ignore();
        }
        let (is_present, is_remembered): (bool, bool) = self.carry_out("EXPIRE", &look).await?;
        if is_present && is_remembered {
            return Ok(());
        }
        self.carry_out::<()>("SET", &note).await?;
        if !is_present {
            let stored = if is_remembered { Stored::Removed } else { Stored::Maybe };
            self.local.write_all_again(stored);
        }
        Ok(())
    }

    async fn carry_out_each(
        &self,
        names: &str,
        pipeline: Pipeline,
    ) -> Result<Vec<Result<Value, RedisError>>, String> {
        let mut connection = self.commands.connection().await?;
        self.commands.run_each(&mut connection, names, pipeline).await
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

fn is_not_hash(error: &RedisError) -> bool {
    error.code().is_some_and(|code| is_other_type(code, error.detail().unwrap_or_default()))
}
