//! Peers that vanish without a close: a frozen process, a broken network, a frozen node. The real binary.

use std::{env, ffi::OsStr, net::Ipv4Addr, process::Stdio, time::Duration};

use fanfare_testkit::{Client, Process, assert_eventually, within};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{process::Child, process::Command, task::JoinHandle, time::sleep};

/// The shortest allowed intervals.
const SHORT: &str = "[relay]\nping_interval = \"1s\"\npong_timeout = \"1s\"\n";

const CONNECTIONS: &str = "fanfare_connections";
const NO_PONG: &str = "fanfare_connections_closed_total{reason=\"no_pong\"}";
const IDLE: &str = "fanfare_connections_closed_total{reason=\"idle\"}";

/// The URL for the client's process.
const URL: &str = "FANFARE_TEST_CLIENT_URL";

async fn node(listen: &str, toml: &str) -> Process {
    let node = Process::serve(&["--listen", listen, "--node", "test"], toml).await;
    node.is_ready().await;
    node
}

/// Not a test, but the client's process. It reads, and so answers pings, until it is killed.
#[tokio::test]
#[ignore = "the process of a client, which the tests here start"]
async fn client_process() {
    let Ok(url) = env::var(URL) else { return };
    let mut client = Client::connect(&url).await;
    loop {
        client.next().await;
    }
}

/// This program as a client of `url`, behind a command that runs it elsewhere.
fn client_process_at(url: &str, before: &[&str]) -> Child {
    let this = env::current_exe().unwrap();
    let mut words = before.iter().map(OsStr::new).chain([this.as_os_str()]);
    Command::new(words.next().unwrap())
        .args(words)
        .args(["--ignored", "--exact", "vanishing::client_process"])
        .env(URL, url)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// A client that reads. Returns its messages up to "end".
fn neighbour(mut client: Client) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut got = Vec::new();
        while got.last().is_none_or(|last| last != "end") {
            got.push(client.next().await.into_text().unwrap().to_string());
        }
        got
    })
}

async fn are_connected(node: &Process, connections: f64) {
    assert_eventually!(
        node.metric(CONNECTIONS).await.total_cmp(&connections).is_eq(),
        "{connections} connections: {}",
        node.log()
    );
}

/// A client of `node` stays as long as it answers, and is dropped after `vanish`; its neighbour stays.
async fn only_who_vanished_is_dropped(node: &Process, mut client: Child, vanish: impl AsyncFnOnce(&Child)) {
    let neighbour = neighbour(node.connect("/ws/a").await);
    are_connected(node, 2.0).await;
    // Several pings: both answer.
    sleep(Duration::from_secs(3)).await;
    node.publish("a", "both are here").await;
    assert_eq!((node.metric(CONNECTIONS).await, node.metric(NO_PONG).await), (2.0, 0.0));
    vanish(&client).await;
    are_connected(node, 1.0).await;
    assert_eq!(node.metric(NO_PONG).await, 1.0);
    assert!(matches!(client.try_wait(), Ok(None)), "the client itself still runs");
    node.publish("a", "end").await;
    assert_eq!(within("the neighbour's messages", neighbour).await.unwrap(), ["both are here", "end"]);
    assert_eq!(node.metric(NO_PONG).await, 1.0, "{}", node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_client_is_dropped() {
    let node = node("127.0.0.1:0", SHORT).await;
    let client = client_process_at(&node.ws("/ws/a"), &[]);
    only_who_vanished_is_dropped(&node, client, async |client| {
        // Its kernel still acknowledges every byte.
        let id = Pid::from_raw(i32::try_from(client.id().unwrap()).unwrap()).unwrap();
        kill_process(id, Signal::STOP).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_network_is_dropped() {
    let Some(remote) = RemoteNetwork::start().await else { return };
    let node = node(&format!("{}:0", remote.local_address()), &format!("open = true\n{SHORT}")).await;
    let client = client_process_at(&node.ws("/ws/a"), &["ip", "netns", "exec", &remote.name]);
    only_who_vanished_is_dropped(&node, client, async |_| remote.cut().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_node_drops_nobody() {
    let node = node("127.0.0.1:0", &format!("{SHORT}idle_timeout = \"3s\"\n")).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(neighbour(node.connect("/ws/a").await));
    }
    node.publish("a", "before").await;
    node.freeze();
    sleep(Duration::from_secs(5)).await;
    node.thaw();
    // Longer than every timeout.
    for _ in 0..4 {
        node.publish("a", "after").await;
        sleep(Duration::from_secs(1)).await;
    }
    let ended = (node.metric(NO_PONG).await, node.metric(IDLE).await);
    assert_eq!((node.metric(CONNECTIONS).await, ended), (20.0, (0.0, 0.0)), "{}", node.log());
    node.publish("a", "end").await;
    for client in clients {
        let got = within("a client's messages", client).await.unwrap();
        assert_eq!(got, ["before", "after", "after", "after", "after", "end"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_client_is_closed_and_counted() {
    let node = node("127.0.0.1:0", &format!("{SHORT}idle_timeout = \"4s\"\n")).await;
    let busy = neighbour(node.connect("/ws/busy").await);
    let idle = tokio::spawn(node.connect("/ws/idle").await.closed());
    while !idle.is_finished() {
        node.publish("busy", "message").await;
        sleep(Duration::from_millis(500)).await;
    }
    let (code, reason) = idle.await.unwrap();
    assert_eq!(code, 4000);
    assert!(reason.contains("no message came or went"), "{reason}");
    assert_eq!((node.metric(IDLE).await, node.metric(NO_PONG).await), (1.0, 0.0));
    are_connected(&node, 1.0).await;
    node.publish("busy", "end").await;
    within("the other's messages", busy).await.unwrap();
}

/// A network namespace at the end of a link that can be cut. Removed when dropped.
struct RemoteNetwork {
    name: String,
    link: String,
    subnet: u8,
}

impl RemoteNetwork {
    /// `None`, with a message: the permission or the program `ip` is missing.
    async fn start() -> Option<Self> {
        // Names and addresses of this process, because another run may be in progress.
        let id = std::process::id();
        let remote =
            Self { name: format!("fanfare-{id}"), link: format!("ff{id}"), subnet: id.to_le_bytes()[0] };
        let (name, link) = (&remote.name, &remote.link);
        if let Err(error) = ip(&format!("netns add {name}")).await {
            eprintln!("skipped: cannot make a network namespace (needs root and iproute2): {error}");
            return None;
        }
        let (local_address, remote_address) = (remote.local_address(), remote.remote_address());
        for command in [
            format!("link add {link} type veth peer name eth0 netns {name}"),
            format!("addr add {local_address}/30 dev {link}"),
            format!("link set {link} up"),
            format!("-n {name} addr add {remote_address}/30 dev eth0"),
            format!("-n {name} link set eth0 up"),
        ] {
            if let Err(error) = ip(&command).await {
                eprintln!("skipped: cannot make a link between network namespaces: {error}");
                return None;
            }
        }
        Some(remote)
    }

    /// An address of the range for tests of networks (RFC 2544).
    fn local_address(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.subnet, 1)
    }

    fn remote_address(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.subnet, 2)
    }

    /// Cuts the link in both directions, unnoticed by either side.
    async fn cut(&self) {
        ip(&format!("-n {} link set eth0 down", self.name)).await.unwrap();
    }
}

impl Drop for RemoteNetwork {
    fn drop(&mut self) {
        for command in [["netns", "del", &self.name], ["link", "del", &self.link]] {
            // The namespace takes its end of the link with it, and mostly the other end.
            let mut ip = std::process::Command::new("ip");
            let _ = ip.args(command).stderr(Stdio::null()).status();
        }
    }
}

/// Runs `ip` with these words.
async fn ip(words: &str) -> Result<(), String> {
    let done = Command::new("ip").args(words.split(' ')).output().await;
    match done {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("ip: {error}")),
    }
}
