//! A Redis Cluster passes the suite.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by a panic, as the test does")]

use std::sync::Arc;

use fanfare_broker::{BrokerConfig, Prefix};
use fanfare_broker_suite::{Bus, ClusterServers};
use tokio::sync::OnceCell;

/// The Cluster that all tests share, each with a prefix of its own.
static SERVERS: OnceCell<Arc<ClusterServers>> = OnceCell::const_new();

struct Cluster {
    servers: Arc<ClusterServers>,
    prefix: Prefix,
}

impl Bus for Cluster {
    const NODES: usize = 2;

    async fn start() -> Self {
        let servers =
            SERVERS.get_or_init(|| async { Arc::new(ClusterServers::start().await.unwrap()) }).await;
        let prefix = Prefix::new(&format!("test{}", rand::random::<u32>())).unwrap();
        Self { servers: servers.clone(), prefix }
    }

    fn config(&self) -> BrokerConfig {
        let url = format!("{}?partitions=4", self.servers.url());
        url.parse::<BrokerConfig>().unwrap().with_prefix(&self.prefix)
    }
}

fanfare_broker_suite::broker_suite!(Cluster);
