//! The node registry in Redis: a key per node, and a sorted set that names the keys.
//!
//! A node is listed for as long as its own key lives; Redis expires it. The sorted set is only an index. Its scores are
//! expiry times by the clock of Redis (`TIME`), because the clocks of nodes differ: a node whose clock is ahead would
//! remove the entries of others. A node that announces itself removes the expired ones. The commands of an announcement
//! need no transaction: an entry counts only where index and key both have it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fanfare_core::{
    Incarnation, NodeInfo, Registry,
    registry::{RegistryError, RegistryFuture},
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use super::agreed_version::AgreedVersion;
use crate::{
    liveness::split::{ReportedSplits, Run, SplitHistory},
    node::TIME_TO_LIVE,
    redis::{
        connection::{
            commands::PooledCommands,
            links::Links,
            pool::{ANSWERS, PooledConnection},
        },
        names::Names,
        server::run_in,
        subscriber::{origin_check::ListedNodes, request::Request},
    },
};

/// The most connections.
pub(crate) const CONNECTIONS: usize = 2;
/// How long a connection is used. A new one shows where the name leads.
pub(crate) const USED_FOR: Duration = Duration::from_secs(5);

/// See the head of this file.
pub(crate) struct RedisRegistry {
    pub(crate) commands: PooledCommands,
    pub(crate) names: Arc<Names>,
    pub(crate) node: Incarnation,
    /// The envelope version that every node reads.
    pub(crate) agreed: Arc<AgreedVersion>,
    /// The server of the publisher.
    pub(crate) links: Arc<Links>,
    /// To the subscriber, which hears that others were on another server.
    pub(crate) requests: UnboundedSender<Request>,
    /// The nodes whose claims are believed.
    pub(crate) listed: Arc<ListedNodes>,
    pub(crate) others: Mutex<ReportedSplits>,
    /// The error that was said last.
    pub(crate) said: Mutex<Option<RegistryError>>,
    /// The names of all servers of this node; empty where there is one.
    pub(crate) servers: Arc<str>,
}

/// A node's entry.
#[derive(Serialize, Deserialize)]
struct Entry<N> {
    #[serde(flatten)]
    node: N,
    /// Its splits from others. The name of this field is a part of the entry.
    #[serde(default)]
    apart: SplitHistory,
    /// The names of its servers. Also a part of the entry.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    servers: String,
}

impl RedisRegistry {
    /// Says what Redis refuses, where that was not said last. Others say that Redis is away.
    fn say<T>(&self, result: Result<T, RegistryError>) -> Result<T, RegistryError> {
        if let Err(error) = &result
            && is_refusal(error)
            && self.said.lock().replace(error.clone()).as_ref() != Some(error)
        {
            tracing::warn!("{error}; nodes may not see one another until it does not");
        }
        result
    }

    async fn connection(&self) -> Result<PooledConnection, RegistryError> {
        self.commands.connection().await.map_err(RegistryError)
    }

    async fn run<T: redis::FromRedisValue>(
        &self,
        connection: &mut PooledConnection,
        name: &str,
        command: &redis::Cmd,
    ) -> Result<T, RegistryError> {
        self.commands.run(connection, name, command).await.map_err(RegistryError)
    }

    async fn write(&self, node: &NodeInfo) -> Result<(), RegistryError> {
        let here = self.links.here();
        let (apart, _) = self.links.split_history();
        let entry = serde_json::to_string(&Entry { node, apart, servers: self.servers.to_string() });
        let entry = entry.map_err(|error| RegistryError(error.to_string()))?;
        let mut connection = self.connection().await?;
        let there = match &here {
            Some(_) => self.run_of(&mut connection).await?,
            None => None,
        };
        let (seconds, _): (u64, u64) = self.run(&mut connection, "TIME", &redis::cmd("TIME")).await?;
        let ttl = TIME_TO_LIVE.as_secs();
        let (index, key) = (self.names.nodes(), self.names.node(&node.incarnation));
        let mut pipeline = redis::pipe();
        pipeline.cmd("SET").arg(&key).arg(entry).arg("EX").arg(ttl).ignore();
        pipeline.cmd("ZADD").arg(&index).arg(seconds + ttl).arg(&node.incarnation).ignore();
        // Without free memory Redis refuses the two above, and permits this: what was announced before lives on.
        pipeline.cmd("EXPIRE").arg(&key).arg(ttl).ignore();
        pipeline.cmd("EXPIRE").arg(&index).arg(2 * ttl).ignore();
        let looked = here.zip(there);
        if looked.as_ref().is_some_and(|((here, _), there)| here == there) {
            pipeline.cmd("EXPIRE").arg(self.names.server()).arg(ttl).ignore();
        }
        self.commands
            .run_all::<()>(&mut connection, "SET, ZADD or EXPIRE", &pipeline)
            .await
            .map_err(RegistryError)?;
        // Behind it, since a node that could not renew its own place would take that of the others too.
        let mut remove = redis::cmd("ZREMRANGEBYSCORE");
        remove.arg(&index).arg("-inf").arg(format!("({seconds}"));
        self.run::<u64>(&mut connection, "ZREMRANGEBYSCORE", &remove).await?;
        if let Some((here, there)) = looked {
            self.links.compare(&here, &there);
        }
        Ok(())
    }

    /// The server of a connection of the pool, where it says which it is.
    async fn run_of(&self, connection: &mut PooledConnection) -> Result<Option<Run>, RegistryError> {
        let info: String = self.run(connection, "INFO", redis::cmd("INFO").arg("server")).await?;
        Ok(run_in(&info))
    }

    /// Takes the reports of the other nodes.
    fn hear(&self, entries: &[Entry<NodeInfo>]) {
        let others = entries.iter().map(|Entry { node, apart, .. }| (node.incarnation.as_str(), *apart));
        let told = self.others.lock().take(others);
        let (_, is_known) = self.links.split_history();
        if let Some(apart) = told.filter(|_| !is_known) {
            // Where its task has ended, there is nothing to interrupt.
            let _ = self.requests.send(Request::Split(apart));
        }
        self.count_other_lists(entries);
    }

    /// Nodes with other servers place some channels elsewhere. That is said once until all are the same again.
    fn count_other_lists(&self, entries: &[Entry<NodeInfo>]) {
        let is_other = |entry: &&Entry<NodeInfo>| entry.servers != *self.servers;
        let conflicts = &self.commands.metrics.server_list_conflicts;
        if let Some(entry) = entries.iter().find(is_other).filter(|_| conflicts.get() == 0) {
            tracing::warn!(
                node = entry.node.name,
                "another node has other servers in `broker`: until all nodes have the same, messages in some channels do \
                 not reach both"
            );
        }
        conflicts.set(i64::try_from(entries.iter().filter(is_other).count()).unwrap_or(i64::MAX));
    }

    async fn read(&self) -> Result<Vec<Entry<NodeInfo>>, RegistryError> {
        let mut connection = self.connection().await?;
        let index = self.names.nodes();
        let incarnations: Vec<String> =
            self.run(&mut connection, "ZRANGE", redis::cmd("ZRANGE").arg(index).arg(0).arg(-1)).await?;
        if incarnations.is_empty() {
            self.listed.read(std::iter::empty(), Instant::now());
            return Ok(Vec::new());
        }
        let mut get = redis::cmd("MGET");
        for incarnation in &incarnations {
            get.arg(self.names.node(incarnation));
        }
        let entries: Vec<Option<Vec<u8>>> = self.run(&mut connection, "MGET", &get).await?;
        let mut nodes = Vec::with_capacity(entries.len());
        for entry in entries.into_iter().flatten() {
            match serde_json::from_slice::<Entry<NodeInfo>>(&entry) {
                Ok(node) => nodes.push(node),
                Err(_) => self.commands.metrics.registry_malformed.inc(),
            }
        }
        let incarnations =
            nodes.iter().filter_map(|entry| u64::from_str_radix(&entry.node.incarnation, 16).ok());
        let incarnations = incarnations.map(Incarnation);
        self.listed.read(incarnations, Instant::now());
        nodes.sort_by(|Entry { node: a, .. }, Entry { node: b, .. }| {
            (&a.name, &a.incarnation).cmp(&(&b.name, &b.incarnation))
        });
        Ok(nodes)
    }

    async fn remove(&self) -> Result<(), RegistryError> {
        let mut connection = self.connection().await?;
        let incarnation = self.node.to_string();
        let mut pipeline = redis::pipe();
        pipeline.cmd("DEL").arg(self.names.node(&incarnation)).ignore();
        pipeline.cmd("ZREM").arg(self.names.nodes()).arg(&incarnation).ignore();
        self.commands.run_all(&mut connection, "DEL or ZREM", &pipeline).await.map_err(RegistryError)
    }
}

impl Registry for RedisRegistry {
    fn announce(&self, node: &NodeInfo) -> RegistryFuture<'_, ()> {
        let node = node.clone();
        Box::pin(async move {
            let written = self.write(&node).await;
            if written.as_ref().is_err_and(|error| !is_refusal(error)) {
                return written;
            }
            // A node that Redis refuses to list sees the others all the same.
            let read = self.read().await.map(|entries| {
                self.hear(&entries);
                self.agreed.read(&nodes(entries));
            });
            self.say(written.and(read))
        })
    }

    fn withdraw(&self) -> RegistryFuture<'_, ()> {
        Box::pin(async { self.say(self.remove().await) })
    }

    fn nodes(&self) -> RegistryFuture<'_, Vec<NodeInfo>> {
        Box::pin(async { Ok(nodes(self.say(self.read().await)?)) })
    }
}

/// Whether Redis answered an error. Otherwise it did not answer.
fn is_refusal(error: &RegistryError) -> bool {
    error.0.starts_with(ANSWERS)
}

fn nodes(entries: Vec<Entry<NodeInfo>>) -> Vec<NodeInfo> {
    entries.into_iter().map(|entry| entry.node).collect()
}
