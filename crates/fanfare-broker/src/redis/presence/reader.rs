//! Reads the entries of all nodes.
//!
//! Invariants
//! - An entry counts only while the heartbeat of its node lives. The reader that finds entries of a dead node removes
//!   them.
//! - Each entry is removed by a command of its own. So Redis tells one reader that it removed the entry, and this reader
//!   tells the node. In a channel that makes events a script removes the entry, and makes the event.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use fanfare_core::{
    Channel, ClientId, Incarnation, Presence,
    broker::BrokerState,
    presence::{Entered, OnRemoved, PresenceEntry, PresenceError, PresenceFuture, PresenceStats},
};
use redis::Pipeline;

use super::{local::Local, value};
use crate::{
    metrics::Metrics,
    presence::stats,
    redis::{
        connection::{commands::PooledCommands, links::Links, pool::PooledConnection},
        names::Names,
        outbox::{Channels, Subject},
    },
};

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
        let key = self.names.presence(channel);
        let fields = self.commands.run(connection, "HGETALL", redis::cmd("HGETALL").arg(key)).await;
        let fields: HashMap<Vec<u8>, Vec<u8>> = fields.map_err(PresenceError)?;
        let mut entries: Vec<_> =
            fields.iter().filter_map(|(field, value)| value::decode(field, value)).collect();
        let nodes = entries.iter().map(|entry| entry.client.node).collect();
        let dead = self.dead(connection, nodes).await?;
        if !dead.is_empty() {
            let (ghosts, alive) = entries.into_iter().partition(|entry| dead.contains(&entry.client.node));
            entries = alive;
            self.remove(connection, channel, ghosts).await;
        }
        entries.sort_by_key(|entry| entry.client);
        Ok(entries)
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
    async fn remove(&self, connection: &mut PooledConnection, channel: &Channel, ghosts: Vec<PresenceEntry>) {
        if self.local.wants(channel) {
            return self.remove_told(connection, channel, ghosts).await;
        }
        let (mut remove, key) = (redis::pipe(), self.names.presence(channel));
        for ghost in &ghosts {
            remove.cmd("HDEL").arg(&key).arg(ghost.client.to_string());
        }
        self.note_removal(ghosts.iter().map(|ghost| ghost.client.node), &mut remove);
        match self.commands.run_all::<Vec<bool>>(connection, "HDEL or DEL", &remove).await {
            Ok(removed) => {
                let Some(tell) = self.removed.get() else { return };
                let mine = ghosts.into_iter().zip(removed).filter(|(_, is_removed)| *is_removed);
                mine.for_each(|(ghost, _)| tell(channel, ghost));
            }
            Err(error) => tracing::debug!(%error, %channel, "entries of a dead node were not removed"),
        }
    }

    /// The same in a channel that makes events.
    async fn remove_told(
        &self,
        connection: &mut PooledConnection,
        channel: &Channel,
        ghosts: Vec<PresenceEntry>,
    ) {
        let mut remove = redis::pipe();
        self.scripts.note.load(&mut remove);
        for ghost in &ghosts {
            let subject = Subject { names: &self.names, node: ghost.client.node, channel };
            let field = std::iter::once((ghost.client.to_string(), &[][..]));
            remove.add_command(self.scripts.noting(subject, None, field, 0));
        }
        self.note_removal(ghosts.iter().map(|ghost| ghost.client.node), &mut remove);
        let names = "SCRIPT LOAD, EVALSHA or DEL";
        match self.commands.run_all::<Vec<(u64, u64)>>(connection, names, &remove).await {
            Ok(removed) => {
                self.metrics.events_dropped(removed.iter().map(|(dropped, _)| dropped).sum());
                let Some(tell) = self.removed.get() else { return };
                let mine = ghosts.into_iter().zip(removed).filter(|(_, (_, left))| *left > 0);
                mine.for_each(|(ghost, _)| tell(channel, ghost));
            }
            Err(error) => tracing::debug!(%error, %channel, "entries of a dead node were not removed"),
        }
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

    fn members(&self, channel: &Channel) -> PresenceFuture<Vec<PresenceEntry>> {
        let (reader, channel) = (self.clone(), channel.clone());
        Box::pin(async move { reader.read(&channel).await })
    }

    fn stats(&self, channel: &Channel) -> PresenceFuture<PresenceStats> {
        let (reader, channel) = (self.clone(), channel.clone());
        Box::pin(async move { Ok(stats(reader.read(&channel).await?.iter())) })
    }
}
