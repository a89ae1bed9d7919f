//! The messages of a node to systemd: the real binary, and a socket in the place of systemd's.

use fanfare_testkit::{Process, redis_server, within};
use tempfile::TempDir;
use tokio::net::UnixDatagram;

/// A receiver in the place of systemd.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { socket, folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("notify").to_str().unwrap().to_owned()
    }

    /// Reads until this notification comes. Returns all notifications up to it.
    async fn hears(&self, word: &str) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let mut datagram = Vec::with_capacity(4096);
            let what = format!("{word} comes, after {all:?}");
            within(&what, self.socket.recv_buf(&mut datagram)).await.unwrap();
            let said = String::from_utf8(datagram).unwrap();
            let is_it = said.lines().any(|line| line == word);
            all.push(said);
            if is_it {
                return all;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_hears_of_all_changes() {
    let (manager, mut redis) = (Manager::new(), redis_server().await);
    redis.kill().await.unwrap();
    let socket = manager.path();
    // The API's key comes from the environment, which a reload does not change.
    let environment =
        [("NOTIFY_SOCKET", &*socket), ("WATCHDOG_USEC", "500000"), ("FANFARE_DRAIN__GRACE", "50m")];
    let flags = ["--listen", "127.0.0.1:0", "--node", "a", "--broker", &redis.url()];
    let toml = "drain.timeout = \"55m\"\n";
    let mut node = Process::serve_with(&flags, toml, &environment).await;

    let mut said = manager.hears("STATUS=waiting for the broker, which is away").await;
    said.extend(manager.hears("WATCHDOG=1").await);
    // Reloaded before it was ever ready.
    node.reload(&format!("{toml}log.level = \"debug\"")).await;
    said.extend(manager.hears("WATCHDOG=1").await);
    assert!(!said.concat().contains("READY=1") && !said.concat().contains("RELOADING"), "{said:?}");
    redis.restart().await.unwrap();
    let ready = manager.hears("READY=1").await;
    assert!(ready.last().unwrap().contains("STATUS=ready"), "{ready:?}");

    node.reload(toml).await;
    let reloading = manager.hears("RELOADING=1").await;
    let at = reloading.last().unwrap().lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(at.unwrap().parse::<u64>().unwrap() > 0, "{reloading:?}");
    manager.hears("READY=1").await;
    node.reload("no.such.key = 1").await;
    let ready = [manager.hears("RELOADING=1").await, manager.hears("READY=1").await].concat();
    assert!(ready.last().unwrap().contains("STATUS=ready; the configuration has mistakes"), "{ready:?}");

    let _client = node.connect("/chat").await;
    node.terminate();
    let stopping = manager.hears("STOPPING=1").await;
    let last = stopping.last().unwrap();
    // 55 min, and the time after them.
    assert!(last.contains("EXTEND_TIMEOUT_USEC=3310000000\nSTATUS=draining: 1 clients to go"), "{last}");
    manager.hears("WATCHDOG=1").await;
    node.terminate();
    assert_eq!(node.wait().await.code(), Some(1));
}
