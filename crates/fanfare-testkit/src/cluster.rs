//! A redis-server and nodes on it.

use fanfare_broker_suite::RedisServer;

use crate::{node::TestNode, setup::Setup, timeouts::within};

/// A redis-server and its nodes, called `node-1`, `node-2` and so on.
pub struct TestCluster {
    /// The redis-server.
    pub redis: RedisServer,
    /// The nodes, ready.
    pub nodes: Vec<TestNode>,
}

impl TestCluster {
    /// Starts a redis-server and this number of nodes.
    pub async fn start(nodes: usize) -> Self {
        Self::start_with(nodes, "").await
    }

    /// As [`start`](Self::start), with this text in each configuration file.
    pub async fn start_with(nodes: usize, toml: &str) -> Self {
        let mut cluster = Self { redis: redis_server().await, nodes: Vec::new() };
        for number in 1..=nodes {
            let setup = Setup::redis(&cluster.redis.url()).named(&format!("node-{number}")).toml(toml);
            cluster.nodes.push(setup.start().await);
        }
        cluster
    }

    /// Publishes as any Redis client can: `PUBLISH fanfare:CHANNEL PAYLOAD`.
    ///
    /// # Panics
    /// If Redis does not take it.
    pub async fn plain_publish(&self, channel: &str, payload: &[u8]) {
        let mut command = redis::cmd("PUBLISH");
        command.arg(format!("fanfare:{channel}")).arg(payload);
        if let Err(error) = within("a plain PUBLISH", self.redis.run::<i64>(&command)).await {
            panic!("a plain PUBLISH failed: {error}");
        }
    }
}

/// A redis-server.
///
/// # Panics
/// If it does not start, with what is missing.
pub async fn redis_server() -> RedisServer {
    match RedisServer::start().await {
        Ok(redis) => redis,
        Err(error) => panic!("{error}"),
    }
}
