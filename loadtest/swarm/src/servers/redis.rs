//! A redis-server without persistence.

use std::{
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use tokio::process::Child;

use super::{
    node::Setup,
    spawn::{free_address, on_cpus},
};

/// The longest time for a Redis to start.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The redis-server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Redis {
    child: Child,
    address: SocketAddr,
}

impl Redis {
    pub(crate) async fn start(cpus: Option<&str>) -> anyhow::Result<Self> {
        Self::start_with(cpus, &[]).await
    }

    /// The same with further arguments of redis-server.
    pub(super) async fn start_with(cpus: Option<&str>, arguments: &[&str]) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut child = on_cpus(cpus, Path::new("redis-server"))
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("redis-server (Debian: apt-get install redis-server)")?;
        let start = std::time::Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(child.try_wait()?.is_none(), "redis-server has ended");
            ensure!(start.elapsed() < START_TIMEOUT, "redis-server does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { child, address })
    }

    pub(super) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) const fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("redis-server has ended")
    }

    /// The setup of a node that uses this Redis.
    pub(crate) fn setup(&self, cpus: Option<String>) -> Setup {
        Setup { redis: Some(self.url()), cpus, ..Setup::default() }
    }
}
