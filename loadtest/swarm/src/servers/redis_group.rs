//! Servers of Redis that a node uses as one broker.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::{process::Command, time::sleep};

use super::{node::Setup, redis::Redis};

/// The servers of a group.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// One.
    One,
    /// Three that share the channels.
    Three,
    /// A Cluster of three masters, without replicas.
    Cluster,
}

/// The servers. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct RedisGroup {
    servers: Vec<Redis>,
    broker: String,
    _folder: TempDir,
}

impl RedisGroup {
    pub(crate) async fn start(kind: Kind, cpus: Option<&str>) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let mut servers = Vec::new();
        for number in 0..if matches!(kind, Kind::One) { 1 } else { 3 } {
            let file = folder.path().join(number.to_string()).display().to_string();
            let arguments: &[&str] = match kind {
                Kind::Cluster => &["--cluster-enabled", "yes", "--cluster-config-file", &file],
                _ => &[],
            };
            servers.push(Redis::start_with(cpus, arguments).await?);
        }
        let urls: Vec<_> = servers.iter().map(Redis::url).collect();
        let mut broker = urls.join(",");
        if matches!(kind, Kind::Cluster) {
            let addresses: Vec<_> = urls.iter().map(|url| url.trim_start_matches("redis://")).collect();
            create(&addresses).await?;
            broker = format!("redis+cluster://{}", addresses.join(","));
        }
        Ok(Self { servers, broker, _folder: folder })
    }

    pub(crate) fn pids(&self) -> anyhow::Result<Vec<u32>> {
        self.servers.iter().map(Redis::pid).collect()
    }

    /// The setup of a node that uses them.
    pub(crate) fn setup(&self, toml: &str) -> Setup {
        Setup { redis: Some(self.broker.clone()), toml: toml.to_owned(), ..Setup::default() }
    }
}

/// Makes a Cluster of them. Returns once each server has learned of it.
async fn create(addresses: &[&str]) -> anyhow::Result<()> {
    let mut create = Command::new("redis-cli");
    create.args(["--cluster", "create"]).args(addresses).args(["--cluster-yes", "--cluster-replicas", "0"]);
    let made = create.output().await.context("redis-cli (Debian: apt-get install redis-tools)")?;
    ensure!(made.status.success(), "redis-cli --cluster create: {}", String::from_utf8_lossy(&made.stdout));
    sleep(Duration::from_secs(2)).await;
    Ok(())
}
