//! A failover by a Sentinel, with TLS on all ways: nodes to the Sentinel and to the servers, the servers to each other.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
};

use fanfare_testkit::{Authority, Issued, RedisServer, Setup, Validity, assert_eventually};
use tempfile::TempDir;
use tokio::process::{Child, Command};

fn free_port() -> String {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port().to_string()
}

/// The arguments of a server that speaks TLS at this port.
fn tls(port: &str, authority: &Authority, issued: &Issued) -> Vec<String> {
    let [cert, key, ca] = [&issued.cert, &issued.key, &authority.ca()].map(|path| path.display().to_string());
    let arguments = [
        ("--tls-port", port),
        ("--tls-cert-file", &cert),
        ("--tls-key-file", &key),
        ("--tls-ca-cert-file", &ca),
        ("--tls-auth-clients", "no"),
        ("--tls-replication", "yes"),
    ];
    arguments.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]).collect()
}

async fn server(tls: &[String], others: &[&str]) -> RedisServer {
    let arguments: Vec<_> = tls.iter().map(String::as_str).chain(others.iter().copied()).collect();
    RedisServer::start_with(&arguments).await.unwrap()
}

/// A Sentinel that speaks TLS only, and tells names: certificates are for names.
fn sentinel(folder: &TempDir, tls: &[String], master: &str) -> Child {
    let file = folder.path().join("sentinel.conf");
    let settings: Vec<_> =
        tls.chunks(2).map(|pair| pair.join(" ").trim_start_matches('-').to_owned()).collect();
    let others = format!(
        "port 0\ndir {}\nsentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n\
         sentinel monitor main localhost {master} 1\nsentinel down-after-milliseconds main 500\n\
         sentinel failover-timeout main 3000\n",
        folder.path().display()
    );
    std::fs::write(&file, format!("{}\n{others}", settings.join("\n"))).unwrap();
    let mut process = Command::new("redis-server");
    process.arg(&file).arg("--sentinel").stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_follow_a_failover_by_tls() {
    let authority = Authority::new();
    let issued = authority.issue("redis", &["localhost"], Validity::Current);
    let ports = [free_port(), free_port(), free_port()];
    let [first, second, third] = ports.each_ref().map(|port| tls(port, &authority, &issued));
    let [master_port, replica_port, sentinel_port] = ports.each_ref().map(String::as_str);
    let mut master = server(&first, &[]).await;
    let announced = ["--replica-announce-ip", "localhost", "--replica-announce-port", replica_port];
    let follows = ["--replicaof", "localhost", master_port, "--repl-diskless-sync-delay", "0"];
    let replica = server(&second, &[&announced[..], &follows].concat()).await;
    let folder = TempDir::new().unwrap();
    let _sentinel = sentinel(&folder, &third, master_port);
    let ca = format!("[redis]\nca = \"{}\"\n", authority.ca().display());
    let setup = Setup::redis(&format!("rediss+sentinel://localhost:{sentinel_port}/main")).toml(&ca);
    let (a, b) = (setup.clone().named("a").start().await, setup.named("b").start().await);
    let (mut one, mut other) = (a.connect("/chat").await, b.connect("/chat").await);
    one.text("before").await;
    other.expect("before").await;
    let role = redis::cmd("INFO").arg("replication").to_owned();
    let says = async |text| replica.run::<String>(&role).await.is_ok_and(|info| info.contains(text));
    assert_eventually!(says("master_link_status:up").await, "the replica follows");
    // A Sentinel asks the master for its replicas every ten seconds.
    let known = || std::fs::read_to_string(folder.path().join("sentinel.conf")).unwrap_or_default();
    assert_eventually!(known().contains("known-replica"), "the Sentinel knows the replica");
    master.kill().await.unwrap();
    assert_eventually!(says("role:master").await, "the replica is the master");
    for node in [&a, &b] {
        node.is_ready().await;
    }
    let mut returned = a.connect("/chat").await;
    returned.text("after").await;
    other.expect("after").await;
}
