//! Nodes that clients cannot reach, that do not stay, or whose certificate ends.

use std::net::TcpListener;

use fanfare_testkit::{Authority, Process, Validity, redis_server};

use crate::{
    node,
    provoked::{Provoked, tell},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn a_node_is_killed() {
    let redis = redis_server().await;
    let (mut one, other) = (node("node-1", &redis, &[]).await, node("node-2", &redis, &[]).await);
    let mut provoked = Provoked::watch(&[*one, *other], &["FanfareNodeDown"]).await;
    provoked.begins();
    let gone = one.endpoint();
    one.kill().await;
    provoked.fires("FanfareNodeDown", &[gone]).await;
    tell("FanfareNodeDown", "SIGKILL of a node", Some(provoked.lasts()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn all_nodes_are_killed() {
    let redis = redis_server().await;
    let mut nodes = [node("node-1", &redis, &[]).await, node("node-2", &redis, &[]).await];
    let mut provoked = Provoked::watch(&[*nodes[0], *nodes[1]], &["FanfareClusterDown"]).await;
    provoked.begins();
    for node in &mut nodes {
        node.kill().await;
    }
    provoked.fires_for("FanfareClusterDown", "job", &["fanfare"]).await;
    tell("FanfareClusterDown", "SIGKILL of all nodes", Some(provoked.lasts()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn a_node_is_killed_three_times() {
    let redis = redis_server().await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut falls = Process::start_on(&socket, "node-1", &redis.url(), &[]).await;
    let stays = node("node-2", &redis, &[]).await;
    let mut provoked = Provoked::watch(&[*falls, *stays], &["FanfareRestarts"]).await;
    provoked.begins();
    for times in 1..=3 {
        falls.kill().await;
        falls = Process::start_on(&socket, "node-1", &redis.url(), &[]).await;
        let seen = "max(changes(process_start_time_seconds{job='fanfare'}[1h]))";
        provoked.prometheus.comes_to(seen, |changes| changes == f64::from(times)).await;
    }
    provoked.fires("FanfareRestarts", &[*falls]).await;
    tell("FanfareRestarts", "SIGKILL and a start, three times", Some(provoked.lasts()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn a_certificate_has_expired() {
    let authority = Authority::new();
    let toml = |is| {
        let issued = authority.issue("server", &["localhost"], is);
        format!("[metrics]\nlisten = [\"127.0.0.1:0\"]\n[tls]\n{}", issued.toml("cert", "key"))
    };
    let one = Process::serve(&["--listen", "127.0.0.1:0"], &toml(Validity::Current)).await;
    let metrics = one.metrics_endpoint();
    metrics.is_ready().await;
    let mut provoked = Provoked::watch(&[metrics], &["FanfareCertificateExpires"]).await;
    provoked.begins();
    one.reload_at(metrics, &toml(Validity::Expired)).await;
    provoked.fires("FanfareCertificateExpires", &[metrics]).await;
    let fired = provoked.lasts();
    one.reload_at(metrics, &toml(Validity::Current)).await;
    provoked.is_over("FanfareCertificateExpires", "a certificate that has expired", fired).await;
}
