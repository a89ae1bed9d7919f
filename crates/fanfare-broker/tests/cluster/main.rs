//! A Redis Cluster passes the suite, with the user of the docs.
//!
//! - `changes`: its slots move while messages are published; `mistakes`: those in its configuration

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by a panic, as the test does")]

mod changes;
mod mistakes;

use std::sync::Arc;

use fanfare_broker::{BrokerConfig, Prefix};
use fanfare_broker_suite::{Bus, ClusterServers, TestNode};
use fanfare_core::{Channel, Payload, Publish, Retention};
use tokio::sync::OnceCell;

const DOCS: &str = include_str!("../../../../docs/redis.md");

/// The Cluster that all tests share, each with a prefix of its own.
static SERVERS: OnceCell<Arc<ClusterServers>> = OnceCell::const_new();

struct Cluster {
    servers: Arc<ClusterServers>,
    prefix: Prefix,
}

/// A Cluster with the user of the docs, for all prefixes that begin with `test`.
async fn start_with_user() -> Arc<ClusterServers> {
    let servers = ClusterServers::start().await.unwrap();
    let (_, rules) = DOCS.rsplit_once("ACL SETUSER fanfare ").unwrap();
    let rules = rules.split("```").next().unwrap().replace("fanfare", "test*");
    for server in &servers.servers {
        let mut acl = redis::cmd("ACL");
        acl.arg("SETUSER").arg("fanfare").arg(rules.split_whitespace().collect::<Vec<_>>());
        let () = server.run(&acl).await.unwrap();
    }
    Arc::new(servers)
}

impl Bus for Cluster {
    const NODES: usize = 2;

    async fn start() -> Self {
        let servers = SERVERS.get_or_init(start_with_user).await;
        let prefix = Prefix::new(&format!("test{}", rand::random::<u32>())).unwrap();
        Self { servers: servers.clone(), prefix }
    }

    fn config(&self) -> BrokerConfig {
        let url = self.servers.url().replace("://", "://fanfare:PASSWORD@");
        format!("{url}?partitions=4").parse::<BrokerConfig>().unwrap().with_prefix(&self.prefix)
    }
}

fanfare_broker_suite::broker_suite!(Cluster);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_user_has_every_right() {
    let bus = Cluster::start().await;
    let node = TestNode::start(bus.config());
    node.is_up().await;
    let channel = Channel::new("chat").unwrap();
    node.subscribe(&channel).await.unwrap();
    let retention = Retention { size: 10, ttl: std::time::Duration::from_secs(60) };
    let publish = Publish::new(channel.clone(), Payload::text("x")).kept(Some(retention));
    node.hand_over(publish).await.unwrap().unwrap();
    node.started.registry.announce(&node.info("a")).await.unwrap();
    node.started.backend.history.remove(&channel).await.unwrap();
    node.broker().unsubscribe(&channel);
    node.started.registry.withdraw().await.unwrap();
    assert_eq!(node.counter("fanfare_redis_errors_total", Some("NOPERM")), 0.0);
    node.started.stop().await;
    // The other tests use the same user.
    for server in &bus.servers.servers {
        let log: Vec<redis::Value> = server.run(redis::cmd("ACL").arg("LOG")).await.unwrap();
        assert!(log.is_empty(), "{log:?}");
    }
}
