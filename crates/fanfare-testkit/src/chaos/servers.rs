//! The servers of Redis of a run, and their faults.

use fanfare_broker::BrokerConfig;
use fanfare_broker_suite::SentinelServers;
use fanfare_core::Channel;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::{
    cluster::Cluster,
    plan::Topology,
    replicated::{Replicated, or_panic},
};
use crate::{Proxy, RedisServer, cluster::redis_server};

/// The processes.
#[derive(Debug)]
pub(super) enum Servers {
    /// Each with channels of its own.
    Several(Vec<Mutex<RedisServer>>),
    /// A master and its replicas.
    Sentinel(Mutex<SentinelServers>),
    /// Three masters, a replica each.
    Cluster(Box<Mutex<Cluster>>),
}

impl Servers {
    pub(super) async fn start(topology: Topology) -> Self {
        match topology {
            Topology::Sentinel => {
                let servers = or_panic(SentinelServers::start().await);
                or_panic(servers.is_replicated().await);
                return Self::Sentinel(Mutex::new(servers));
            }
            Topology::Cluster => return Self::Cluster(Box::new(Mutex::new(Cluster::start().await))),
            Topology::One | Topology::Three => {}
        }
        let mut servers = Vec::new();
        for _ in 0..topology.servers() {
            servers.push(Mutex::new(redis_server().await));
        }
        Self::Several(servers)
    }

    /// The proxies of one node, by server. With Sentinels they lead to the Sentinels: these tell where the master is. A
    /// Cluster has none: its servers tell where they are.
    pub(super) async fn proxies(&self) -> Vec<Vec<Proxy>> {
        let mut all = Vec::new();
        match self {
            Self::Several(servers) => {
                for server in servers {
                    all.push(vec![Proxy::start(server.lock().await.port()).await]);
                }
            }
            Self::Sentinel(servers) => {
                let mut proxies = Vec::new();
                for port in servers.lock().await.ports() {
                    proxies.push(Proxy::start(port).await);
                }
                all.push(proxies);
            }
            Self::Cluster(_) => {}
        }
        all
    }

    /// The `broker` of a node with these proxies. All nodes have the same names of servers.
    pub(super) async fn url(&self, proxies: &[Vec<Proxy>]) -> String {
        let proxies = proxies.iter().flatten();
        match self {
            Self::Several(_) => {
                let named =
                    |(proxy, number): (&Proxy, usize)| format!("{}?name={}", proxy.url(), name(number));
                proxies.zip(0..).map(named).collect::<Vec<_>>().join(",")
            }
            Self::Sentinel(_) => {
                let address = |proxy: &Proxy| proxy.url().trim_start_matches("redis://").to_owned();
                SentinelServers::url_of(proxies.map(address))
            }
            Self::Cluster(cluster) => cluster.lock().await.servers.url(),
        }
    }

    /// The server with the messages of a channel, for a node with this `broker`.
    pub(super) fn of(broker: &str, channel: &str) -> usize {
        let (Ok(broker), Ok(channel)) = (broker.parse(), Channel::new(channel)) else { return 0 };
        let BrokerConfig::Several(servers) = broker else { return 0 };
        // They are sorted by their names.
        servers.each().iter().position(|server| Some(server) == servers.of(&channel)).unwrap_or(0)
    }

    /// A server that takes writes: the one with this number, or the master.
    pub(super) async fn master(&self, server: usize) -> MappedMutexGuard<'_, RedisServer> {
        match self {
            Self::Several(servers) => {
                let Some(server) = servers.get(server) else { panic!("no server {server}") };
                MutexGuard::map(server.lock().await, |server| server)
            }
            Self::Sentinel(servers) => {
                let servers = servers.lock().await;
                let master = servers.master_of(server).await;
                MutexGuard::map(servers, |servers| servers.server(master))
            }
            Self::Cluster(cluster) => {
                let cluster = cluster.lock().await;
                let master = cluster.master_of(server).await;
                MutexGuard::map(cluster, |cluster| cluster.server(master))
            }
        }
    }

    /// Waits until every master has its replicas.
    pub(super) async fn are_replicated(&self) {
        match self {
            Self::Several(_) => {}
            Self::Sentinel(servers) => servers.lock().await.settle().await,
            Self::Cluster(cluster) => cluster.lock().await.settle().await,
        }
    }
}

/// The name of a server in the URLs.
fn name(server: usize) -> String {
    format!("redis-{}", server + 1)
}
