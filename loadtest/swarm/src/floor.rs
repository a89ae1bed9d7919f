//! Floors: servers of one thread that do nothing but what no server can do without.

mod relay;
mod server;

use std::{net::Ipv4Addr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
};

pub use self::server::serve;
use crate::{
    bench::node::on_cpus,
    client::{Connection, Target},
    machine,
};

/// What a floor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// For each frame that its first socket brings, it sends one frame of the same payload length to each of its
    /// sockets; of `batch` frames it makes one `send`. It looks at no byte it reads.
    Send,
    /// It accepts, reads the request, writes the 101, and passes messages on to all that asked for the same path: one
    /// `send` to each for what one read brought. No Redis, no limits, no second thread.
    Relay,
    /// It pings each socket once in `interval`, a part of them each second, and reads what they answer.
    Ping,
}

/// The flags of a floor's server.
#[derive(Debug, Clone, Args)]
pub struct FloorArgs {
    /// What it does
    #[arg(long, value_enum)]
    pub kind: Kind,
    /// Sockets to accept
    #[arg(long)]
    pub subscribers: usize,
    /// Payload of a message in bytes
    #[arg(long, default_value_t = 128)]
    pub bytes: usize,
    /// Frames of one `send`
    #[arg(long, default_value_t = 1)]
    pub batch: usize,
    /// Seconds between two pings of one socket
    #[arg(long, default_value_t = 25)]
    pub interval: u64,
}

impl FloorArgs {
    /// One that sends.
    #[must_use]
    pub const fn send(subscribers: usize, bytes: usize, batch: usize) -> Self {
        Self { kind: Kind::Send, subscribers, bytes, batch, interval: 0 }
    }

    /// One that relays.
    #[must_use]
    pub const fn relay(subscribers: usize) -> Self {
        Self { kind: Kind::Relay, subscribers, bytes: 0, batch: 1, interval: 0 }
    }

    /// One that pings.
    #[must_use]
    pub const fn ping(subscribers: usize, interval: Duration) -> Self {
        Self { kind: Kind::Ping, subscribers, bytes: 0, batch: 1, interval: interval.as_secs() }
    }
}

/// The payload that floor and server are given alike.
#[must_use]
pub fn payload(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes]
}

/// A floor's server as a child of this process; ends when it is dropped.
#[derive(Debug)]
pub struct Floor {
    child: Child,
    port: u16,
}

impl Floor {
    /// Starts it: `swarm` is the path of this crate's program.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(swarm: &Path, args: &FloorArgs) -> anyhow::Result<Self> {
        Self::start_on(None, swarm, args).await
    }

    /// The same, on these processors only, as `taskset` takes them.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_on(cpus: Option<&str>, swarm: &Path, args: &FloorArgs) -> anyhow::Result<Self> {
        let FloorArgs { kind, subscribers, bytes, batch, interval } = args;
        let kind = kind.to_possible_value().context("a kind that has no name")?;
        let mut command = on_cpus(cpus, swarm);
        command.args(["floor-server", "--kind", kind.get_name()]);
        for (name, value) in [("--subscribers", subscribers), ("--bytes", bytes), ("--batch", batch)] {
            command.args([name, &value.to_string()]);
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
        let port = line.trim().parse().context("the floor did not say its port")?;
        Ok(Self { child, port })
    }

    /// Its process.
    ///
    /// # Errors
    /// It has ended.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the floor has ended")
    }

    /// Where one that relays is.
    ///
    /// # Errors
    /// `path` is none.
    pub fn target(&self, path: &str) -> anyhow::Result<Target> {
        Target::parse(&format!("ws://127.0.0.1:{}", self.port), path)
    }

    /// Connects to one that wants no upgrade; the first connection is the publisher's.
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
