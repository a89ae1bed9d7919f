//! nginx in front of nodes, with the shipped configuration.

use std::{io, net::SocketAddr, path::Path, process::Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    assert_eventually,
    balancer::reworded,
    endpoint::{Endpoint, free_address},
};

/// The shipped configuration.
const SHIPPED: &str = include_str!("../../../deploy/nginx/nginx.conf");

/// The path of Debian's nginx, which may be missing in PATH.
const DEBIAN: &str = "/usr/sbin/nginx";

/// The folders for temporary files.
const FOLDERS: [&str; 5] = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/// An nginx with its workers. All are told to end when this is dropped.
#[derive(Debug)]
pub struct Nginx {
    endpoint: Endpoint,
    master: Child,
    _folder: TempDir,
}

impl Nginx {
    /// Starts nginx in front of these nodes. Returns once it accepts clients.
    pub async fn start(nodes: &[Endpoint]) -> Self {
        Self::start_with(nodes, &[]).await
    }

    /// As [`start`](Self::start), with each of these words of the shipped configuration replaced.
    ///
    /// # Panics
    /// If it does not start, or the words are not in the configuration.
    pub async fn start_with(nodes: &[Endpoint], words: &[(&str, &str)]) -> Self {
        let started = || {
            let (address, folder) = (free_address()?, TempDir::new()?);
            let text = configuration(&reworded(SHIPPED, words), address, nodes, folder.path());
            std::fs::write(folder.path().join("nginx.conf"), text)?;
            let master = nginx(folder.path())?;
            Ok::<_, io::Error>(Self { endpoint: Endpoint::new(address), master, _folder: folder })
        };
        let nginx = match started() {
            Ok(nginx) => nginx,
            Err(error) => panic!("nginx: {error} (on Debian: apt-get install nginx-light)"),
        };
        let address = nginx.endpoint.address();
        assert_eventually!(tokio::net::TcpStream::connect(address).await.is_ok(), "nginx listens");
        nginx.endpoint.is_ready().await;
        nginx
    }

    /// The address for clients.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Reloads as its service does: new workers take over the listening, the old ones keep their connections.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        let master = self.master.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        // A client that connects finds out that the process has ended.
        let _ = master.map(|master| kill_process(master, signal));
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers would outlive a killed master.
        self.signal(Signal::TERM);
    }
}

/// The configuration with this address, these nodes, and all files in the folder.
fn configuration(shipped: &str, address: SocketAddr, nodes: &[Endpoint], folder: &Path) -> String {
    let is_ours = |line: &&str| {
        let first = line.split_whitespace().next();
        !(first == Some("listen") || first == Some("server") && line.ends_with(';'))
    };
    let kept = shipped.lines().filter(is_ours).flat_map(|line| {
        let added: Vec<String> = match line.trim() {
            "http {" => {
                FOLDERS.iter().map(|name| format!("{name}_temp_path {}/{name};", folder.display())).collect()
            }
            "upstream nodes {" => nodes.iter().map(|node| format!("server {};", node.address())).collect(),
            "server {" => vec![format!("listen {address};")],
            _ => Vec::new(),
        };
        std::iter::once(line.to_owned()).chain(added)
    });
    kept.map(|line| line + "\n").collect()
}

fn nginx(folder: &Path) -> io::Result<Child> {
    let program = if Path::new(DEBIAN).exists() { DEBIAN } else { "nginx" };
    // The user of the test owns the folder: root's workers must be root to read it.
    let user = if geteuid().is_root() { "user root;" } else { "" };
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).args(["-e", "stderr"]);
    command.arg("-g").arg(format!("daemon off; pid {}/pid; {user}", folder.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}
