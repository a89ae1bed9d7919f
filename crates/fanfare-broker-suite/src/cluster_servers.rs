//! A Redis Cluster for tests: three masters with a replica each, all of them processes on free ports.

use std::{io, process::Stdio, time::Duration};

use redis::{FromRedisValue, RedisError, RedisResult};
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::redis_server::{RedisServer, RedisServerError};

/// After how long without an answer a node is taken for dead, in milliseconds.
const NODE_TIMEOUT: &str = "1000";
/// The time between two looks at the nodes, and their number.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOK_TIMES: usize = 1200;
/// The number of masters, each with a replica.
const MASTERS: usize = 3;
const SLOTS: usize = 16_384;

/// See the head of this file.
#[derive(Debug)]
pub struct ClusterServers {
    /// The first three were the masters at the start, the others their replicas in the same order.
    pub servers: Vec<RedisServer>,
    /// Kills the processes when this one ends, whichever way it ends.
    _guard: Option<Child>,
}

impl ClusterServers {
    /// Starts all of them, and returns once each slot has a master and each master a replica.
    ///
    /// # Errors
    /// One of them does not start, or they do not become a Cluster within a minute.
    pub async fn start() -> Result<Self, RedisServerError> {
        Self::start_with(&[]).await
    }

    /// The same with further arguments of redis-server.
    ///
    /// # Errors
    /// Those of [`ClusterServers::start`].
    pub async fn start_with(arguments: &[&str]) -> Result<Self, RedisServerError> {
        let own = ["--cluster-enabled", "yes", "--cluster-node-timeout", NODE_TIMEOUT];
        let own = [&own[..], &["--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"]];
        let arguments = [&own.concat(), arguments].concat();
        let mut servers = Vec::new();
        for _ in 0..2 * MASTERS {
            servers.push(
                RedisServer::start_with(&[&arguments[..], &["--cluster-port", &bus()?]].concat()).await?,
            );
        }
        let guard = guard(&servers)?;
        let cluster = Self { servers, _guard: Some(guard) };
        cluster.form().await.map_err(io::Error::other)?;
        Ok(cluster)
    }

    /// `redis+cluster://127.0.0.1:port,127.0.0.1:port,…`: all nodes.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The place of the master of a slot among the servers, as the first server that answers says.
    ///
    /// # Errors
    /// None answers, or no master has the slot.
    pub async fn master_of(&self, slot: u16) -> io::Result<usize> {
        for server in &self.servers {
            if let Ok(port) = owner(server, slot).await {
                let found = self.servers.iter().position(|server| server.port() == port);
                return found.ok_or_else(|| io::Error::other("another Cluster has the slot"));
            }
        }
        Err(io::Error::other(format!("no node says where slot {slot} is")))
    }

    /// Waits until all servers that run say that another server than this one has the slot. Its place.
    ///
    /// # Errors
    /// They do not within a minute.
    pub async fn moved_from(&self, slot: u16, before: usize) -> io::Result<usize> {
        let port = self.servers.get(before).map(RedisServer::port).unwrap_or_default();
        for _ in 0..LOOK_TIMES {
            let mut others = Vec::new();
            for server in &self.servers {
                others.extend(owner(server, slot).await);
            }
            if !others.is_empty() && others.iter().all(|other| *other != port) {
                return self.master_of(slot).await;
            }
            sleep(LOOK_EVERY).await;
        }
        Err(io::Error::other(format!("slot {slot} stays where it was")))
    }

    /// Lets a replica of this master take its place, with its help (`CLUSTER FAILOVER`).
    ///
    /// # Errors
    /// It has no replica, or that one refuses.
    pub async fn fail_over(&self, master: usize) -> RedisResult<()> {
        let id = self.id(master).await?;
        for server in &self.servers {
            let nodes: String = cluster(server, &["NODES"]).await.unwrap_or_default();
            let is_replica = |line: &str| line.contains("myself,slave") && line.contains(&id);
            if nodes.lines().any(is_replica) {
                return cluster(server, &["FAILOVER"]).await;
            }
        }
        Err(other("the master has no replica"))
    }

    /// Moves a slot with all its keys to another master, as `redis-cli --cluster reshard` does.
    ///
    /// # Errors
    /// Those of Redis.
    pub async fn migrate(&self, slot: u16, to: usize) -> RedisResult<()> {
        let from = self.master_of(slot).await?;
        self.begin_migration(slot, from, to).await?;
        while self.migrate_keys(slot, from, to, 10).await? > 0 {}
        self.end_migration(slot, from, to).await
    }

    /// Marks a slot as under way.
    ///
    /// # Errors
    /// Those of Redis.
    pub async fn begin_migration(&self, slot: u16, from: usize, to: usize) -> RedisResult<()> {
        let [source, target] = [self.at(from)?, self.at(to)?];
        let [source_id, target_id] = [self.id(from).await?, self.id(to).await?];
        let slot = slot.to_string();
        let () = cluster(target, &["SETSLOT", &slot, "IMPORTING", &source_id]).await?;
        cluster(source, &["SETSLOT", &slot, "MIGRATING", &target_id]).await
    }

    /// Moves at most `most` keys of a slot that is under way. Their number.
    ///
    /// # Errors
    /// Those of Redis.
    pub async fn migrate_keys(&self, slot: u16, from: usize, to: usize, most: usize) -> RedisResult<usize> {
        let [source, target] = [self.at(from)?, self.at(to)?];
        let [slot, most] = [slot.to_string(), most.to_string()];
        let keys: Vec<Vec<u8>> = cluster(source, &["GETKEYSINSLOT", &slot, &most]).await?;
        if !keys.is_empty() {
            let mut migrate = redis::cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(target.port()).arg("").arg(0).arg(5000).arg("KEYS").arg(&keys);
            let _: String = source.run(&migrate).await?;
        }
        Ok(keys.len())
    }

    /// Gives a slot that is under way to its new master.
    ///
    /// # Errors
    /// Those of Redis.
    pub async fn end_migration(&self, slot: u16, from: usize, to: usize) -> RedisResult<()> {
        let id = self.id(to).await?;
        let slot = slot.to_string();
        for at in [to, from] {
            let () = cluster(self.at(at)?, &["SETSLOT", &slot, "NODE", &id]).await?;
        }
        Ok(())
    }

    /// Waits until the state of the Cluster is well again: each slot has a master, and each master a replica.
    ///
    /// # Errors
    /// It is not within a minute.
    pub async fn is_whole(&self) -> io::Result<()> {
        for _ in 0..LOOK_TIMES {
            let mut whole = 0;
            for server in &self.servers {
                whole += usize::from(is_whole(server).await.unwrap_or(false));
            }
            if whole == self.servers.len() {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        Err(io::Error::other("the servers do not become a Cluster"))
    }

    fn at(&self, at: usize) -> RedisResult<&RedisServer> {
        self.servers.get(at).ok_or_else(|| other("no such server"))
    }

    async fn id(&self, at: usize) -> RedisResult<String> {
        cluster(self.at(at)?, &["MYID"]).await
    }

    async fn form(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let first = self.at(0)?.port().to_string();
        for (at, server) in self.servers.iter().enumerate() {
            let () = cluster(server, &["SET-CONFIG-EPOCH", &(at + 1).to_string()]).await?;
            if at > 0 {
                let bus = argument(self.at(0)?, "cluster-port").await?;
                let () = cluster(server, &["MEET", "127.0.0.1", &first, &bus]).await?;
            }
            if at < MASTERS {
                let [from, to] = [at, at + 1].map(|at| (SLOTS * at).div_ceil(MASTERS));
                let [from, to] = [from.to_string(), (to - 1).to_string()];
                let () = cluster(server, &["ADDSLOTSRANGE", &from, &to]).await?;
            }
        }
        for (at, server) in self.servers.iter().enumerate().skip(MASTERS) {
            let id = self.id(at - MASTERS).await?;
            self.knows(server, &id).await?;
            let () = cluster(server, &["REPLICATE", &id]).await?;
        }
        Ok(self.is_whole().await?)
    }

    /// Waits until a server has met another one.
    async fn knows(&self, server: &RedisServer, id: &str) -> io::Result<()> {
        for _ in 0..LOOK_TIMES {
            let nodes: String = cluster(server, &["NODES"]).await.unwrap_or_default();
            if nodes.lines().any(|line| line.starts_with(id) && !line.contains("handshake")) {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        Err(io::Error::other("two nodes do not meet"))
    }
}

/// Whether this server sees a whole Cluster.
async fn is_whole(server: &RedisServer) -> RedisResult<bool> {
    let (info, nodes): (String, String) =
        (cluster(server, &["INFO"]).await?, cluster(server, &["NODES"]).await?);
    let is_up = info.lines().any(|line| line.trim() == "cluster_state:ok")
        && info.lines().any(|line| line.trim() == "cluster_known_nodes:6");
    let replicas = nodes.lines().filter(|line| line.contains("slave") && line.contains(" connected"));
    let replication: String = server.run(redis::cmd("INFO").arg("replication")).await?;
    let is_synced = !replication.contains("master_link_status:down") && !nodes.contains("fail");
    let has_replica = replication.contains("role:slave") || replication.contains("state=online");
    Ok(is_up && replicas.count() == MASTERS && is_synced && has_replica)
}

/// The port of the master of a slot, as this server says.
async fn owner(server: &RedisServer, slot: u16) -> RedisResult<u16> {
    type Range = (u16, u16, Vec<redis::Value>);
    let ranges: Vec<redis::Value> = cluster(server, &["SLOTS"]).await?;
    for range in ranges {
        let redis::Value::Array(fields) = range else { continue };
        let Some(([first, last], nodes)) = fields.split_first_chunk::<2>() else { continue };
        let (first, last, nodes): Range =
            (u16::from_redis_value_ref(first)?, u16::from_redis_value_ref(last)?, nodes.to_vec());
        if (first..=last).contains(&slot)
            && let Some(redis::Value::Array(master)) = nodes.first()
            && let Some(port) = master.get(1)
        {
            return Ok(u16::from_redis_value_ref(port)?);
        }
    }
    Err(other("no master has the slot"))
}

async fn cluster<T: FromRedisValue>(server: &RedisServer, arguments: &[&str]) -> RedisResult<T> {
    server.run(redis::cmd("CLUSTER").arg(arguments)).await
}

async fn argument(server: &RedisServer, name: &str) -> RedisResult<String> {
    let (_, value): (String, String) = server.run(redis::cmd("CONFIG").arg("GET").arg(name)).await?;
    Ok(value)
}

fn other(what: &'static str) -> RedisError {
    (redis::ErrorKind::Client, what).into()
}

/// A free port for the bus.
fn bus() -> io::Result<String> {
    crate::redis_server::free_port().map(|port| port.to_string())
}

/// A process that waits for the end of this one, then kills the servers: a Cluster that all tests share is never dropped.
fn guard(servers: &[RedisServer]) -> io::Result<Child> {
    let ids: Vec<_> = servers.iter().filter_map(RedisServer::id).map(|id| id.to_string()).collect();
    Command::new("sh")
        .arg("-c")
        .arg(format!("cat >/dev/null; kill -9 {} 2>/dev/null", ids.join(" ")))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}
