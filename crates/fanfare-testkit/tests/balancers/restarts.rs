//! Drains, kills and reloads under load.

use std::collections::BTreeSet;

use fanfare_testkit::{
    Balancer, ClientGroup, Endpoint, Nginx, Process, RedisServer, client_group::record::End, redis_server,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::cookie_of;

/// One client group at a time: each judges by its own clock, and two groups in one process would delay each other.
static ONE_GROUP: Mutex<()> = Mutex::const_new(());

/// Three nodes as processes that drain at a pace, with the grace that a balancer needs to notice.
struct Nodes {
    processes: Vec<Process>,
    _redis: RedisServer,
    _turn: MutexGuard<'static, ()>,
}

impl Nodes {
    async fn three() -> Self {
        let turn = ONE_GROUP.lock().await;
        let redis = redis_server().await;
        let mut processes = Vec::new();
        for number in 1..=3 {
            let environment = [("FANFARE_DRAIN__GRACE", "3s"), ("FANFARE_DRAIN__RATE", "20")];
            let name = format!("node-{number}");
            processes.push(Process::start_with(&name, &redis.url(), &environment).await);
        }
        Self { processes, _redis: redis, _turn: turn }
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.processes.iter().map(Process::endpoint).collect()
    }
}

/// Drains a node under load. Returns the number of clients that the node refused; each of them went on to another node.
async fn a_drain_disturbs_nobody(name: &'static str, front: Endpoint, leaving: &mut Process) -> f64 {
    let mut group = ClientGroup::start_behind(name, front).await;
    let cookie = cookie_of(front, "node-1").await;
    let node = leaving.endpoint();
    group.fault_begins();
    leaving.terminate();
    let (mut sent_on, mut left) = (0.0_f64, BTreeSet::new());
    while let Ok(metrics) = node.try_metrics().await {
        let answer = front.upgrade("/chat", &[("Cookie", &cookie)]).await;
        assert_eq!(answer.status, 101, "{}", answer.text());
        sent_on = metrics.sum("fanfare_handshakes_refused_total{reason=\"leaving\"}").max(sent_on);
        left.insert(metrics.sum("fanfare_connections") as u64);
    }
    assert!(left.len() >= 4, "its clients went together: {left:?}");
    assert_eq!(leaving.wait().await.code(), Some(0));
    group.fault_ended().await;
    let verdict = group.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, end| matches!(end, End::Closed(1012, _)));
    assert!(verdict.rejected.is_empty(), "{:?}", verdict.rejected);
    sent_on
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy_a_drain_disturbs_nobody() {
    let mut nodes = Nodes::three().await;
    let haproxy = Balancer::start(&nodes.endpoints()).await;
    let sent_on =
        a_drain_disturbs_nobody("drained behind HAProxy", haproxy.endpoint(), &mut nodes.processes[0]).await;
    assert_eq!(sent_on, 0.0, "HAProxy sent clients to the draining node");
}

/// nginx learns of the drain by the first refused client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_a_drain_disturbs_nobody() {
    let mut nodes = Nodes::three().await;
    let nginx = Nginx::start(&nodes.endpoints()).await;
    let sent_on =
        a_drain_disturbs_nobody("drained behind nginx", nginx.endpoint(), &mut nodes.processes[0]).await;
    assert!(sent_on > 0.0, "nginx sent no client to the draining node");
}

async fn a_kill_costs_only_its_own_clients(name: &'static str, front: Endpoint, node: &mut Process) {
    let mut group = ClientGroup::start_behind(name, front).await;
    let its_own = node.metric("fanfare_connections").await as usize;
    group.fault_begins();
    node.kill().await;
    group.fault_ended().await;
    let verdict = group.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, end| matches!(end, End::Broken(_)));
    assert_eq!(verdict.ends.values().sum::<usize>(), its_own, "{verdict}");
    assert!(verdict.rejected.is_empty(), "{:?}", verdict.rejected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy_a_kill_costs_its_own_clients() {
    let mut nodes = Nodes::three().await;
    let haproxy = Balancer::start(&nodes.endpoints()).await;
    a_kill_costs_only_its_own_clients("killed behind HAProxy", haproxy.endpoint(), &mut nodes.processes[1])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_a_kill_costs_its_own_clients() {
    let mut nodes = Nodes::three().await;
    let nginx = Nginx::start(&nodes.endpoints()).await;
    a_kill_costs_only_its_own_clients("killed behind nginx", nginx.endpoint(), &mut nodes.processes[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_nginx_reload_disturbs_nobody() {
    let nodes = Nodes::three().await;
    let nginx = Nginx::start(&nodes.endpoints()).await;
    let group = ClientGroup::start_behind("nginx reloaded (SIGHUP)", nginx.endpoint()).await;
    group.notices_nothing_of(async || nginx.reload()).await;
}
