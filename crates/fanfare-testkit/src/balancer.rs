//! HAProxy before nodes, with the configuration that is shipped.

use std::{fs::File, io, net::SocketAddr, path::Path, process::Stdio};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{Endpoint, within};

/// What is shipped, and what the local cluster runs.
const SHIPPED: &str = include_str!("../../../deploy/haproxy/haproxy.cfg");

/// Debian's haproxy is there, which is not in every PATH.
const DEBIAN: &str = "/usr/sbin/haproxy";

/// Where its standard output goes, in its folder.
const LOG: &str = "haproxy.log";

/// A HAProxy; all its processes are killed when dropped.
#[derive(Debug)]
pub struct Balancer {
    endpoint: Endpoint,
    metrics: Endpoint,
    folder: TempDir,
    /// The process that accepts.
    process: Child,
    /// Those before it, that carry what they had.
    leaving: Vec<Child>,
}

impl Balancer {
    /// Starts one before these nodes; returns once it takes clients.
    ///
    /// # Panics
    /// Where it does not start; the sentence says what is missing.
    pub async fn start(nodes: &[Endpoint]) -> Self {
        Self::start_with(nodes, &[]).await
    }

    /// The same with each of these words of the shipped configuration replaced.
    ///
    /// # Panics
    /// Where it does not start, or has no such words.
    pub async fn start_with(nodes: &[Endpoint], words: &[(&str, &str)]) -> Self {
        let started = || {
            let (clients, metrics) = (free_address()?, free_address()?);
            let folder = TempDir::new()?;
            let binds = [("frontend clients", clients), ("frontend metrics", metrics)];
            let text = configuration(&reworded(SHIPPED, words), binds, nodes);
            std::fs::write(folder.path().join("haproxy.cfg"), text)?;
            let process = haproxy(folder.path(), None)?;
            let (endpoint, metrics) = (Endpoint::new(clients), Endpoint::new(metrics));
            Ok(Self { endpoint, metrics, folder, process, leaving: Vec::new() })
        };
        let balancer = or_panic(started());
        balancer.takes_clients().await;
        balancer
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Where it tells its own metrics.
    #[must_use]
    pub fn metrics(&self) -> Endpoint {
        self.metrics
    }

    /// What it logged so far, on standard output.
    ///
    /// # Panics
    /// Where that cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        or_panic(std::fs::read_to_string(self.folder.path().join(LOG)))
    }

    /// Reloads as its service does: a new process takes over the listening (`-sf`), the old one carries on what it has.
    ///
    /// # Panics
    /// Where there is no new process.
    pub async fn reload(&mut self) {
        let new = or_panic(haproxy(self.folder.path(), self.process.id()));
        self.leaving.push(std::mem::replace(&mut self.process, new));
        self.takes_clients().await;
    }

    /// SIGKILL for all of it.
    ///
    /// # Panics
    /// Where a process cannot be waited for.
    pub async fn kill(&mut self) {
        for process in self.leaving.iter_mut().chain([&mut self.process]) {
            or_panic(within("haproxy ends", process.kill()).await);
        }
        self.leaving.clear();
    }

    /// Starts it again after it was killed.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn start_again(&mut self) {
        self.process = or_panic(haproxy(self.folder.path(), None));
        self.takes_clients().await;
    }

    async fn takes_clients(&self) {
        let ready = async {
            while tokio::net::TcpStream::connect(self.endpoint.address()).await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        within("haproxy listens", ready).await;
        self.endpoint.is_ready().await;
    }
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// The text with all of these words replaced, which stand there.
pub(crate) fn reworded(text: &str, words: &[(&str, &str)]) -> String {
    words.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the configuration that is shipped does not say {from:?}");
        text.replace(from, to)
    })
}

/// The configuration with these addresses, each of a frontend, and these nodes.
fn configuration(shipped: &str, binds: [(&str, SocketAddr); 2], nodes: &[Endpoint]) -> String {
    let is_ours = |line: &&str| !matches!(line.split_whitespace().next(), Some("bind" | "server"));
    let kept = shipped.lines().filter(is_ours).flat_map(|line| {
        let bind = binds.iter().find(|(frontend, _)| line == *frontend);
        [Some(line.to_owned()), bind.map(|(_, address)| format!("    bind {address}"))].into_iter().flatten()
    });
    // The servers belong to the last section.
    let servers = nodes
        .iter()
        .zip(1..)
        .map(|(node, number)| format!("    server node{number} {} cookie node{number}", node.address()));
    kept.chain(servers).map(|line| line + "\n").collect()
}

fn haproxy(folder: &Path, takes_over_from: Option<u32>) -> io::Result<Child> {
    let program = if Path::new(DEBIAN).exists() { DEBIAN } else { "haproxy" };
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(folder.join("haproxy.cfg"));
    if let Some(old) = takes_over_from {
        command.arg("-sf").arg(old.to_string());
    }
    let log = File::options().create(true).append(true).open(folder.join(LOG))?;
    command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null()).kill_on_drop(true).spawn()
}

fn or_panic<T>(result: io::Result<T>) -> T {
    match result {
        Ok(done) => done,
        Err(error) => panic!("haproxy: {error} (on Debian: apt-get install haproxy)"),
    }
}
