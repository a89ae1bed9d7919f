//! A Fanfare node with the memory broker, or on a Redis.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    net::SocketAddr,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Child,
    time::{Instant, sleep},
};

use super::spawn::{free_address, on_cpus};
use crate::{
    client::{Manner, Target},
    machine,
};

/// The longest time for a server to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(20);

/// The server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    address: SocketAddr,
    /// The listener for health and metrics.
    plain: SocketAddr,
    log: File,
    _config: NamedTempFile,
}

/// The differences of a server from the default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    /// The node's name. `None`: bench.
    pub(crate) name: Option<String>,
    /// The text of its configuration file.
    pub(crate) toml: String,
    /// The URL of its Redis. `None`: the memory broker.
    pub(crate) redis: Option<String>,
    /// The processors for it, as `taskset` takes them. `None`: all.
    pub(crate) cpus: Option<String>,
    /// The listener for metrics in `toml`. `None`: the listener for clients.
    pub(crate) plain: Option<SocketAddr>,
}

impl Setup {
    /// Adds a listener for health and metrics, without TLS.
    pub(crate) fn with_plain_listener(mut self) -> anyhow::Result<Self> {
        let plain = free_address()?;
        self.toml += &format!("[metrics]\nlisten = [\"{plain}\"]\n");
        Ok(Self { plain: Some(plain), ..self })
    }
}

impl Node {
    pub(crate) async fn start(server: &Path) -> anyhow::Result<Self> {
        Self::set_up(server, Setup::default()).await
    }

    /// Starts a server with this configuration file.
    pub(crate) async fn configured(server: &Path, toml: &str) -> anyhow::Result<Self> {
        Self::set_up(server, Setup { toml: toml.to_owned(), ..Setup::default() }).await
    }

    pub(crate) async fn set_up(server: &Path, setup: Setup) -> anyhow::Result<Self> {
        if !server.is_file() {
            bail!("{} does not exist; build it: cargo build --release -p fanfare", server.display());
        }
        // The server inherits the limit.
        machine::allow_connections(0)?;
        let address = free_address()?;
        let log = tempfile::tempfile().context("a file for the server's log")?;
        let mut config = NamedTempFile::new().context("a file for the server's configuration")?;
        config.write_all(setup.toml.as_bytes())?;
        let mut command = on_cpus(setup.cpus.as_deref(), server);
        let settings = std::env::vars_os().map(|(name, _)| name);
        for name in settings.filter(|name| name.to_string_lossy().starts_with("FANFARE_")) {
            command.env_remove(name);
        }
        let broker = setup.redis.as_deref().unwrap_or("memory");
        let child = command
            .args(["serve", "--dev", "--broker", broker, "--node", setup.name.as_deref().unwrap_or("bench")])
            .args(["--listen", &address.to_string(), "--config"])
            .arg(config.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{}", server.display()))?;
        let plain = setup.plain.unwrap_or(address);
        let mut node = Self { child, address, plain, log, _config: config };
        node.until_ready().await?;
        Ok(node)
    }

    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the server has ended")
    }

    pub(crate) fn metrics(&self) -> Metrics {
        Metrics(self.plain)
    }

    pub(crate) fn target(&self, path: &str) -> anyhow::Result<Target> {
        self.target_in(path, Manner::default())
    }

    /// A channel of this server, for clients that connect in this manner.
    pub(crate) fn target_in(&self, path: &str, manner: Manner) -> anyhow::Result<Target> {
        let scheme = if manner.tls.is_some() { "wss" } else { "ws" };
        Target::in_manner(&format!("{scheme}://{}{path}", self.address), path, manner)
    }

    /// The head and the body of the answer to a GET.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<String> {
        get(self.address, path).await.context("the server did not answer")
    }

    /// Kills it: the time to close ten thousand connections is not measured.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("the server could not be stopped")
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.pid()?.try_into()?);
        kill(pid, Signal::SIGTERM).context("the server could not be told to end")
    }

    /// Waits until it ends, at most for `timeout`.
    pub(crate) async fn exit(&mut self, timeout: Duration) -> anyhow::Result<ExitStatus> {
        match tokio::time::timeout(timeout, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("a server has not ended after {} s:\n{}", timeout.as_secs(), self.log()?),
        }
    }

    async fn until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_TIMEOUT;
        while !is_ready(self.plain).await {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}:\n{}", self.log()?);
            }
            if Instant::now() > deadline {
                bail!("the server is not ready after {} s:\n{}", READY_TIMEOUT.as_secs(), self.log()?);
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn log(&mut self) -> anyhow::Result<String> {
        let mut bytes = Vec::new();
        self.log.rewind()?;
        self.log.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    let ready = tokio::time::timeout(Duration::from_secs(2), get(address, "/readyz")).await;
    ready.is_ok_and(|answer| answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")))
}

/// The head and the body of the answer.
async fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Reads a node's metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metrics(SocketAddr);

impl Metrics {
    /// The value of a series, named with its labels; 0 for an unknown series.
    pub(crate) async fn value(self, series: &str) -> anyhow::Result<u64> {
        let answer = get(self.0, "/metrics").await.context("the server's metrics")?;
        let value = answer.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        Ok(value.unwrap_or(0))
    }
}
