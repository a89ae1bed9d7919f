//! Floors: servers of one thread that do only what every server must do.

mod args;
mod redis;
mod relay;
mod server;

use std::{net::Ipv4Addr, path::Path, process::Stdio};

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
};

pub use self::{
    args::{FloorArgs, Kind, payload},
    server::serve,
};
use crate::{
    client::{Connection, Target},
    machine,
    servers::on_cpus,
};

/// A floor's server as a child of this process. It ends when this is dropped.
#[derive(Debug)]
pub struct Floor {
    child: Child,
    port: u16,
}

impl Floor {
    /// Starts a floor; `swarm` is the path of this crate's program.
    ///
    /// # Errors
    /// The floor does not start.
    pub async fn start(swarm: &Path, args: &FloorArgs) -> anyhow::Result<Self> {
        Self::start_on(None, swarm, args).await
    }

    /// As [`start`](Self::start), on these processors only, as `taskset` takes them.
    ///
    /// # Errors
    /// The floor does not start.
    pub async fn start_on(cpus: Option<&str>, swarm: &Path, args: &FloorArgs) -> anyhow::Result<Self> {
        let FloorArgs { kind, subscribers, bytes, batch, interval, redis } = args;
        let kind = kind.to_possible_value().context("a kind without a name")?;
        let mut command = on_cpus(cpus, swarm);
        command.args(["floor-server", "--kind", kind.get_name()]);
        for (name, value) in [("--subscribers", subscribers), ("--bytes", bytes), ("--batch", batch)] {
            command.args([name, &value.to_string()]);
        }
        if let Some(redis) = redis {
            command.args(["--redis", &redis.to_string()]);
        }
        let mut child = command
            .args(["--interval", &interval.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{}", swarm.display()))?;
        let Some(stdout) = child.stdout.take() else { bail!("the floor has no output") };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        let port = line.trim().parse().context("the floor did not print its port")?;
        Ok(Self { child, port })
    }

    /// The id of its process.
    ///
    /// # Errors
    /// The process has ended.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the floor has ended")
    }

    /// A channel of a floor that relays.
    ///
    /// # Errors
    /// `path` is not a path.
    pub fn target(&self, path: &str) -> anyhow::Result<Target> {
        Target::parse(&format!("ws://127.0.0.1:{}", self.port), path)
    }

    /// Connects to a floor without an upgrade. The first connection is the publisher's.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn connect(&self, subscribers: usize) -> anyhow::Result<Vec<Connection>> {
        machine::allow_connections(subscribers)?;
        let mut connections = Vec::with_capacity(subscribers);
        for _ in 0..subscribers {
            let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
            stream.set_nodelay(true)?;
            connections.push(Connection::upgraded(stream, Vec::new()));
        }
        Ok(connections)
    }
}
