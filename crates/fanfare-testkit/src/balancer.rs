//! HAProxy in front of nodes, with the shipped configuration.

use std::{fs::File, io, net::SocketAddr, path::Path, process::Stdio};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    endpoint::{Endpoint, free_address},
    timeouts::within,
};

/// The shipped configuration, which the local cluster runs.
const SHIPPED: &str = include_str!("../../../deploy/haproxy/haproxy.cfg");

/// The path of Debian's haproxy, which may be missing in PATH.
const DEBIAN: &str = "/usr/sbin/haproxy";

/// The file of its standard output, in its folder.
const LOG: &str = "haproxy.log";

/// A HAProxy. All its processes are killed when dropped.
#[derive(Debug)]
pub struct Balancer {
    endpoint: Endpoint,
    metrics: Endpoint,
    folder: TempDir,
    /// The process that accepts.
    process: Child,
    /// Older processes, which carry their connections.
    leaving: Vec<Child>,
}

impl Balancer {
    /// Starts HAProxy in front of these nodes. Returns once it accepts clients.
    ///
    /// # Panics
    /// If it does not start, with what is missing.
    pub async fn start(nodes: &[Endpoint]) -> Self {
        Self::start_with(nodes, &[]).await
    }

    /// As [`start`](Self::start), with each of these words of the shipped configuration replaced.
    ///
    /// # Panics
    /// If it does not start, or the words are not in the configuration.
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

    /// The address for clients.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The address of its own metrics.
    #[must_use]
    pub fn metrics(&self) -> Endpoint {
        self.metrics
    }

    /// Its log so far, on standard output.
    ///
    /// # Panics
    /// If the log cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        or_panic(std::fs::read_to_string(self.folder.path().join(LOG)))
    }

    /// Reloads as its service does: a new process takes over the listening (`-sf`), the old one keeps its connections.
    ///
    /// # Panics
    /// If the new process does not start.
    pub async fn reload(&mut self) {
        let new = or_panic(haproxy(self.folder.path(), self.process.id()));
        self.leaving.push(std::mem::replace(&mut self.process, new));
        self.takes_clients().await;
    }

    /// Kills all its processes.
    ///
    /// # Panics
    /// If a process cannot be waited for.
    pub async fn kill(&mut self) {
        for process in self.leaving.iter_mut().chain([&mut self.process]) {
            or_panic(within("haproxy ends", process.kill()).await);
        }
        self.leaving.clear();
    }

    /// Starts it again after a kill.
    ///
    /// # Panics
    /// If it does not start.
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

/// The text with all of these words replaced. All must be in the text.
pub(crate) fn reworded(text: &str, words: &[(&str, &str)]) -> String {
    words.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the shipped configuration does not say {from:?}");
        text.replace(from, to)
    })
}

/// The configuration with these addresses of frontends, and these nodes.
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
