//! A Fanfare server of the bench's own: loopback, memory broker, a free port.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{client::Target, machine};

/// How long a server may take to become ready.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Node {
    child: Child,
    address: SocketAddr,
    log: File,
}

impl Node {
    pub(super) async fn start(server: &Path) -> anyhow::Result<Self> {
        if !server.is_file() {
            bail!("{} is not there; build it: cargo build --release -p fanfare", server.display());
        }
        // The server inherits the limit.
        machine::allow_connections(0)?;
        let address = free_address()?;
        let log = tempfile::tempfile().context("a file for the server's log")?;
        let mut command = Command::new(server);
        let settings = std::env::vars_os().map(|(name, _)| name);
        for name in settings.filter(|name| name.to_string_lossy().starts_with("FANFARE_")) {
            command.env_remove(name);
        }
        let child = command
            .args([
                "serve",
                "--dev",
                "--broker",
                "memory",
                "--node",
                "bench",
                "--listen",
                &address.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{}", server.display()))?;
        let mut node = Self { child, address, log };
        node.until_ready().await?;
        Ok(node)
    }

    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the server has ended")
    }

    pub(super) fn target(&self, path: &str) -> anyhow::Result<Target> {
        Target::parse(&format!("ws://{}{path}", self.address), path)
    }

    /// Ends it at once: its way of closing ten thousand connections is not measured here.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("the server could not be stopped")
    }

    async fn until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_ready(self.address).await {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}:\n{}", self.log()?);
            }
            if Instant::now() > deadline {
                bail!("the server is not ready after {} s:\n{}", PATIENCE.as_secs(), self.log()?);
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

/// A port that was free a moment ago.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

async fn is_ready(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer.starts_with(b"HTTP/1.1 200"))
    };
    tokio::time::timeout(Duration::from_secs(2), ask).await.is_ok_and(|answer| answer.unwrap_or(false))
}
