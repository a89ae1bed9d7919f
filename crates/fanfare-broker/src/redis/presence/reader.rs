//! Reads the entries of all nodes.
//!
//! Invariants
//! - An entry counts only while the heartbeat of its node lives. The reader that finds entries of a dead node removes
//!   them.
//! - Each entry is removed by a command of its own. So Redis tells one reader that it removed the entry, and this reader
//!   tells the node. In a channel that makes events a script removes the entry, and makes the event.
//! - A channel is read and cleared in parts, so that Redis does not stand still for others. An entry that is there all the
//!   while is read. Ahead of each part the nodes are looked at again: one may have stood still only.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use fanfare_core::{
    Channel, ClientId, Incarnation, Presence,
    broker::BrokerState,
    presence::{Entered, OnRemoved, OnReturned, PresenceEntry, PresenceError, PresenceFuture, PresenceStats},
};
use redis::Pipeline;

use super::{BATCH, local::Local, value};
use crate::{
    metrics::Metrics,
    presence::stats,
    redis::{
        connection::{commands::PooledCommands, links::Links, pool::PooledConnection},
        names::Names,
        outbox::{Channels, Noted, Subject},
    },
};

/// Fields of a hash with their values.
type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// See the head of this file.
#[derive(Clone)]
pub(crate) struct RedisPresence {
    pub(crate) local: Arc<Local>,
    pub(crate) commands: PooledCommands,
    pub(crate) names: Arc<Names>,
    pub(crate) links: Arc<Links>,
    pub(crate) removed: Arc<OnceLock<OnRemoved>>,
    pub(crate) scripts: Arc<Channels>,
    pub(crate) metrics: Arc<Metrics>,
}

impl RedisPresence {
    async fn read(&self, channel: &Channel) -> Result<Vec<PresenceEntry>, PresenceError> {
        if self.links.state() == BrokerState::Away {
            return Err(PresenceError("Redis is away".to_owned()));
        }
        let connection = &mut self.commands.connection().await.map_err(PresenceError)?;
        let fields = self.fields(connection, channel).await?;
        let mut entries: Vec<_> =
            fields.iter().filter_map(|(field, value)| value::decode(field, value)).collect();
        let nodes = entries.iter().map(|entry| entry.client.node).collect();
        let dead = self.dead(connection, nodes).await?;
        if !dead.is_empty() {
            let (ghosts, alive): (Vec<_>, _) =
                entries.into_iter().partition(|entry| dead.contains(&entry.client.node));
            entries = alive;
            if let Err(error) = self.remove_all(connection, channel, ghosts).await {
                tracing::debug!(%error, %channel, "entries of a dead node were not removed");
            }
        }
        entries.sort_by_key(|entry| entry.client);
        Ok(entries)
    }

    async fn fields(
        &self,
        connection: &mut PooledConnection,
        channel: &Channel,
    ) -> Result<HashMap<Vec<u8>, Vec<u8>>, PresenceError> {
        let (mut fields, mut cursor) = (HashMap::new(), 0_u64);
        loop {
            let mut scan = redis::cmd("HSCAN");
            scan.arg(self.names.presence(channel)).arg(cursor).arg("COUNT").arg(BATCH);
            let part = self.commands.run(connection, "HSCAN", &scan).await;
            let (next, part): (u64, Fields) = part.map_err(PresenceError)?;
            fields.extend(part);
            cursor = next;
            if cursor == 0 {
                return Ok(fields);
            }
        }
    }

    /// Those of these nodes whose heartbeats have expired.
    pub(crate) async fn dead(
        &self,
        connection: &mut PooledConnection,
        mut nodes: Vec<Incarnation>,
    ) -> Result<Vec<Incarnation>, PresenceError> {
        nodes.sort_unstable();
        nodes.dedup();
        if nodes.is_empty() {
            return Ok(nodes);
        }
        let mut exist = redis::pipe();
        for node in &nodes {
            exist.cmd("EXISTS").arg(self.names.heartbeat_of(*node));
        }
        let live = self.commands.run_all(connection, "EXISTS", &exist).await;
        let live: Vec<bool> = live.map_err(PresenceError)?;
        Ok(nodes.into_iter().zip(live).filter(|(_, is_live)| !is_live).map(|(node, _)| node).collect())
    }

    /// Removes entries of dead nodes, and tells those that it removed. Where that fails, the next reader does it.
    async fn remove_all(
        &self,
        connection: &mut PooledConnection,
        channel: &Channel,
        mut ghosts: Vec<PresenceEntry>,
    ) -> Result<(), PresenceError> {
        while !ghosts.is_empty() {
            let mut part = ghosts.split_off(ghosts.len().saturating_sub(BATCH));
            let dead = self.dead(connection, part.iter().map(|ghost| ghost.client.node).collect()).await?;
            part.retain(|ghost| dead.contains(&ghost.client.node));
            if !part.is_empty() {
                self.remove(connection, channel, part).await.map_err(PresenceError)?;
            }
        }
        Ok(())
    }

    async fn remove(
        &self,
        connection: &mut PooledConnection,
        channel: &Channel,
        ghosts: Vec<PresenceEntry>,
    ) -> Result<(), String> {
        if self.local.wants(channel) {
            return self.remove_told(connection, channel, ghosts).await;
        }
        let (mut remove, key) = (redis::pipe(), self.names.presence(channel));
        for ghost in &ghosts {
            remove.cmd("HDEL").arg(&key).arg(ghost.client.to_string());
        }
        self.note_removal(ghosts.iter().map(|ghost| ghost.client.node), &mut remove);
        let removed: Vec<bool> = self.commands.run_all(connection, "HDEL or DEL", &remove).await?;
        let Some(tell) = self.removed.get() else { return Ok(()) };
        let mine = ghosts.into_iter().zip(removed).filter(|(_, is_removed)| *is_removed);
        mine.for_each(|(ghost, _)| tell(channel, ghost));
        Ok(())
    }

    /// The same in a channel that makes events.
    async fn remove_told(
        &self,
        connection: &mut PooledConnection,
        channel: &Channel,
        ghosts: Vec<PresenceEntry>,
    ) -> Result<(), String> {
        let mut remove = redis::pipe();
        self.scripts.note.load(&mut remove);
        for ghost in &ghosts {
            let subject = Subject { names: &self.names, node: ghost.client.node, channel };
            let field = std::iter::once((ghost.client.to_string(), &[][..]));
            remove.add_command(self.scripts.noting(subject, None, field, 0));
        }
        self.note_removal(ghosts.iter().map(|ghost| ghost.client.node), &mut remove);
        let names = "SCRIPT LOAD, EVALSHA or DEL";
        let removed: Vec<Noted> = self.commands.run_all(connection, names, &remove).await?;
        self.metrics.events_dropped(removed.iter().map(|(dropped, ..)| dropped).sum());
        let Some(tell) = self.removed.get() else { return Ok(()) };
        let mine = ghosts.into_iter().zip(removed).filter(|(_, (_, left, _))| *left > 0);
        mine.for_each(|(ghost, _)| tell(channel, ghost));
        Ok(())
    }

    /// Lets these nodes, whose entries are removed ahead of it, write them again: one may have stood still only.
    pub(crate) fn note_removal(&self, nodes: impl Iterator<Item = Incarnation>, pipeline: &mut Pipeline) {
        for node in nodes.collect::<HashSet<_>>() {
            pipeline.cmd("DEL").arg(self.names.present(node)).ignore();
        }
    }

    /// Tells the node of entries that a burial removed from a channel.
    pub(crate) fn tell_removed(&self, channel: &Channel, entries: &[(Vec<u8>, Vec<u8>)]) {
        let Some(tell) = self.removed.get() else { return };
        let entries = entries.iter().filter_map(|(client, entry)| value::decode(client, entry));
        entries.for_each(|entry| tell(channel, entry));
    }
}

impl Presence for RedisPresence {
    fn enter(&self, channel: &Channel, entry: PresenceEntry) {
        self.local.enter(channel, &entry);
    }

    fn entered(&self, channel: &Channel) -> Option<Entered> {
        if self.links.state() == BrokerState::Away {
            return None;
        }
        Some(Box::pin(self.local.entered(channel)?))
    }

    fn leave(&self, channel: &Channel, client: ClientId) -> Option<PresenceEntry> {
        value::of_client(client, &self.local.leave(channel, client)?)
    }

    fn on_removed(&self, removed: OnRemoved) {
        let _ = self.removed.set(removed);
    }

    fn on_returned(&self, returned: OnReturned) {
        self.local.on_returned(returned);
    }

    fn members(&self, channel: &Channel) -> PresenceFuture<Vec<PresenceEntry>> {
        let (reader, channel) = (self.clone(), channel.clone());
        Box::pin(async move { reader.read(&channel).await })
    }

    fn stats(&self, channel: &Channel) -> PresenceFuture<PresenceStats> {
        let (reader, channel) = (self.clone(), channel.clone());
        Box::pin(async move { Ok(stats(reader.read(&channel).await?.iter())) })
    }
}
