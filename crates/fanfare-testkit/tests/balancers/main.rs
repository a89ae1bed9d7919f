//! What HAProxy and nginx do with the configurations that are shipped: who stays where, who is sent elsewhere, and
//! that nobody is cut off. Whose connection it is behind them: proxies.rs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says by a panic what is wrong")]

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use fanfare_testkit::{
    Answer, Balancer, Chorus, Endpoint, KEY, Metrics, Nginx, Patience, Process, Prometheus, RedisServer,
    Setup, TestCluster, assert_eventually, chorus::record::End, redis_server, within,
};
use http::header::SET_COOKIE;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Mutex, MutexGuard},
};

/// What of an answer's cookies a browser sends back.
fn cookie(answer: &Answer) -> Option<String> {
    let set = answer.headers.get(SET_COOKIE)?.to_str().unwrap();
    Some(set.split(';').next().unwrap().to_owned())
}

/// Which node answered: it names itself.
fn name(answer: &Answer) -> String {
    let json = answer.json();
    let name = json.get("node").and_then(Value::as_str);
    name.unwrap_or_else(|| panic!("no node: {}", answer.text())).to_owned()
}

/// A browser's cookie that leads to this node.
async fn cookie_of(front: Endpoint, node: &str) -> String {
    let patience = Patience::default();
    loop {
        let answer = front.get("/readyz").await;
        if answer.status == 200 && name(&answer) == node {
            return cookie(&answer).unwrap();
        }
        patience.wait(|| format!("a new browser comes to {node}")).await;
    }
}

/// How many connections a node has let in.
async fn opened(node: &Endpoint) -> f64 {
    node.metric("fanfare_connections_opened_total").await
}

fn endpoints(cluster: &TestCluster) -> Vec<Endpoint> {
    cluster.nodes.iter().map(|node| **node).collect()
}

async fn a_browser_stays_on_its_node(front: Endpoint, nodes: &[Endpoint]) {
    for (node, number) in nodes.iter().zip(1..) {
        let mine = format!("node-{number}");
        let cookie = cookie_of(front, &mine).await;
        for _ in 0..10 {
            let again = front.request("GET", "/readyz", &[("Cookie", &cookie)], "").await;
            assert_eq!((name(&again), again.headers.get(SET_COOKIE)), (mine.clone(), None));
        }
        let before = opened(node).await;
        assert_eq!(front.upgrade("/chat", &[("Cookie", &cookie)]).await.status, 101);
        assert_eq!(opened(node).await - before, 1.0, "the WebSocket is on {mine}");
    }
    // A page is not needed: the first WebSocket has the cookie in its answer.
    let first = front.upgrade("/chat", &[]).await;
    assert!(first.status == 101 && cookie(&first).is_some(), "{first:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_stays_on_its_node_by_a_cookie() {
    let cluster = TestCluster::start(3).await;
    let nodes = endpoints(&cluster);
    a_browser_stays_on_its_node(Balancer::start(&nodes).await.endpoint(), &nodes).await;
    a_browser_stays_on_its_node(Nginx::start(&nodes).await.endpoint(), &nodes).await;
}

async fn a_cookie_does_not_pin_a_client_to_a_full_node(front: Endpoint) {
    let cookie = cookie_of(front, "node-1").await;
    let mut held = Vec::new();
    for number in 0..5 {
        let mut client = front.raw().await;
        let answer = client.upgrade("/chat", &[("Cookie", &cookie)]).await;
        assert_eq!(answer.status, 101, "client {number}: {}", answer.text());
        held.push(client);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_does_not_pin_a_client_to_a_node_that_is_full() {
    let full = "limits.connections = 2";
    for is_nginx in [false, true] {
        let cluster = TestCluster::start_with(3, full).await;
        let nodes = endpoints(&cluster);
        if is_nginx {
            a_cookie_does_not_pin_a_client_to_a_full_node(Nginx::start(&nodes).await.endpoint()).await;
        } else {
            a_cookie_does_not_pin_a_client_to_a_full_node(Balancer::start(&nodes).await.endpoint()).await;
        }
        assert_eq!(opened(&nodes[0]).await, 2.0, "its own node took as many as it may");
    }
}

/// Hundreds of clients publish in one process, and a time by its clock says when each heard what: two of these at once
/// would hold each other up.
static ONE_CHORUS: Mutex<()> = Mutex::const_new(());

/// Three nodes as processes, which leave at a pace, and the time that a balancer needs to notice.
struct Nodes {
    processes: Vec<Process>,
    _redis: RedisServer,
    _turn: MutexGuard<'static, ()>,
}

impl Nodes {
    async fn three() -> Self {
        let turn = ONE_CHORUS.lock().await;
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

/// One node drains under load. Gives how many clients it had to turn away, each of which went on to another node.
async fn a_drain_is_no_event(name: &'static str, front: Endpoint, leaving: &mut Process) -> f64 {
    let mut chorus = Chorus::start_behind(name, front).await;
    let cookie = cookie_of(front, "node-1").await;
    let node = leaving.endpoint();
    chorus.fault_begins();
    leaving.terminate();
    let (mut sent_on, mut left) = (0.0_f64, BTreeSet::new());
    while let Ok(metrics) = Metrics::of(node).await {
        let answer = front.upgrade("/chat", &[("Cookie", &cookie)]).await;
        assert_eq!(answer.status, 101, "{}", answer.text());
        sent_on = metrics.sum("fanfare_handshakes_refused_total{reason=\"leaving\"}").max(sent_on);
        left.insert(metrics.sum("fanfare_connections") as u64);
    }
    assert!(left.len() >= 4, "its clients went together: {left:?}");
    assert_eq!(leaving.wait().await.code(), Some(0));
    chorus.fault_ended().await;
    let verdict = chorus.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, end| matches!(end, End::Closed(1012, _)));
    assert!(verdict.turned_away.is_empty(), "{:?}", verdict.turned_away);
    sent_on
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy_a_draining_node_gets_nobody_new_and_nobody_is_cut_off_or_turned_away() {
    let mut nodes = Nodes::three().await;
    let haproxy = Balancer::start(&nodes.endpoints()).await;
    let sent_on =
        a_drain_is_no_event("drained behind HAProxy", haproxy.endpoint(), &mut nodes.processes[0]).await;
    assert_eq!(sent_on, 0.0, "it was sent clients that it had to turn away");
}

/// nginx learns of it by the first client that is turned away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_a_client_of_a_draining_node_goes_to_another_and_nobody_is_cut_off_or_turned_away() {
    let mut nodes = Nodes::three().await;
    let nginx = Nginx::start(&nodes.endpoints()).await;
    let sent_on =
        a_drain_is_no_event("drained behind nginx", nginx.endpoint(), &mut nodes.processes[0]).await;
    assert!(sent_on > 0.0, "the node was asked by nobody");
}

async fn a_kill_costs_only_its_own_clients(name: &'static str, front: Endpoint, node: &mut Process) {
    let mut chorus = Chorus::start_behind(name, front).await;
    let its_own = node.metric("fanfare_connections").await as usize;
    chorus.fault_begins();
    node.kill().await;
    chorus.fault_ended().await;
    let verdict = chorus.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, end| matches!(end, End::Broken(_)));
    assert_eq!(verdict.ends.values().sum::<usize>(), its_own, "{verdict}");
    assert!(verdict.turned_away.is_empty(), "{:?}", verdict.turned_away);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy_a_killed_node_costs_only_its_own_clients_which_come_back_at_once() {
    let mut nodes = Nodes::three().await;
    let haproxy = Balancer::start(&nodes.endpoints()).await;
    a_kill_costs_only_its_own_clients("killed behind HAProxy", haproxy.endpoint(), &mut nodes.processes[1])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_a_killed_node_costs_only_its_own_clients_which_come_back_at_once() {
    let mut nodes = Nodes::three().await;
    let nginx = Nginx::start(&nodes.endpoints()).await;
    a_kill_costs_only_its_own_clients("killed behind nginx", nginx.endpoint(), &mut nodes.processes[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_is_reloaded_and_nobody_notices() {
    let nodes = Nodes::three().await;
    let nginx = Nginx::start(&nodes.endpoints()).await;
    let mut chorus = Chorus::start_behind("nginx reloaded (SIGHUP)", nginx.endpoint()).await;
    for _ in 0..3 {
        chorus.fault_begins();
        nginx.reload();
        chorus.sings_for(std::time::Duration::from_millis(500)).await;
        chorus.fault_ended().await;
    }
    let verdict = chorus.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, _| false);
    assert!(verdict.turned_away.is_empty(), "{:?}", verdict.turned_away);
}

/// The balancer's timeouts are as short as they can be. That they are in force is seen by a client whose node does
/// not ping it: the balancer ends that one, and the other one, which is as idle, outlives it by far.
async fn pings_keep_an_idle_socket(pinged: Endpoint, unpinged: Endpoint, node: &Endpoint) {
    let channel = format!("port-{}", pinged.address().port());
    let mut stays = pinged.connect(&format!("/ws/{channel}")).await;
    let stays = tokio::spawn(async move { stays.expect("still there?").await });
    for _ in 0..2 {
        let mut goes = unpinged.raw().await;
        assert_eq!(goes.upgrade("/chat", &[]).await.status, 101);
        goes.end().await;
    }
    node.publish(&channel, "still there?").await;
    within("the idle client hears it", stays).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_websocket_outlives_every_timeout_of_the_balancer_by_the_pings_of_its_node() {
    let [pings, silence] =
        ["1s", "1h"].map(|every| format!("relay.ping_interval = \"{every}\"\nrelay.pong_timeout = \"1s\""));
    let pings = Setup::memory().toml(&pings).start().await;
    let silence = Setup::memory().toml(&silence).start().await;
    let words = [
        ("timeout client 30s", "timeout client 1s"),
        ("timeout server 30s", "timeout server 1s"),
        ("timeout tunnel 1h", "timeout tunnel 4s"),
    ];
    let haproxy =
        [Balancer::start_with(&[*pings], &words).await, Balancer::start_with(&[*silence], &words).await];
    let words = [("proxy_read_timeout 1h", "proxy_read_timeout 4s")];
    let nginx = [Nginx::start_with(&[*pings], &words).await, Nginx::start_with(&[*silence], &words).await];
    tokio::join!(
        pings_keep_an_idle_socket(haproxy[0].endpoint(), haproxy[1].endpoint(), &pings),
        pings_keep_an_idle_socket(nginx[0].endpoint(), nginx[1].endpoint(), &pings),
    );
}

const READY: &str = "200 OK";

/// What stands for a node that is ready, and has this answer to each publish; with none it dies over it. Counts them.
async fn node_that_answers(publishes: Option<&'static str>, taken: &Arc<AtomicUsize>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::new(listener.local_addr().unwrap());
    let taken = taken.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_once(stream, publishes, taken.clone()));
        }
    });
    endpoint
}

async fn answer_once(mut stream: TcpStream, publishes: Option<&str>, taken: Arc<AtomicUsize>) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if !matches!(stream.read_buf(&mut request).await, Ok(1..)) {
            return;
        }
    }
    let is_publish = request.starts_with(b"POST");
    taken.fetch_add(usize::from(is_publish), Ordering::Relaxed);
    if let Some(status) = if is_publish { publishes } else { Some(READY) } {
        let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn publish(front: Endpoint) -> u16 {
    let body = r#"{"channel": "chat", "data": "once"}"#;
    front.request("POST", "/api/publish", &[("X-API-Key", KEY)], body).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_that_a_node_may_have_taken_is_not_given_to_another() {
    let taken = Arc::default();
    let nodes = [node_that_answers(None, &taken).await, node_that_answers(None, &taken).await];
    let (haproxy, nginx) = (Balancer::start(&nodes).await, Nginx::start(&nodes).await);
    for (front, times) in [(haproxy.endpoint(), 1), (nginx.endpoint(), 2)] {
        assert_eq!((publish(front).await, taken.load(Ordering::Relaxed)), (502, times));
    }
}

/// Calls without a key, each with a body that is not read, while others connect: each hears its own answer, and to the
/// balancer no node is gone.
async fn refused_calls_take_no_node_out(front: Endpoint) {
    let body = vec![b'x'; 100_000];
    let calling = async {
        for _ in 0..100 {
            let answer = front.request("POST", "/api/publish", &[], &body).await;
            assert_eq!(answer.status, 401, "{}", answer.text());
        }
    };
    let connecting = async {
        for _ in 0..100 {
            let answer = front.upgrade("/chat", &[]).await;
            assert_eq!(answer.status, 101, "{}", answer.text());
        }
    };
    tokio::join!(calling, connecting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_calls_leave_every_node_in_service() {
    let cluster = TestCluster::start(3).await;
    let nodes = endpoints(&cluster);
    refused_calls_take_no_node_out(Balancer::start(&nodes).await.endpoint()).await;
    refused_calls_take_no_node_out(Nginx::start(&nodes).await.endpoint()).await;
}

/// A node's 503 means that nothing was done: HAProxy asks another one, nginx tells who publishes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_that_a_node_refused_goes_to_another_or_back() {
    let (cluster, refused) = (TestCluster::start(1).await, Arc::default());
    let refuses = node_that_answers(Some("503 Service Unavailable"), &refused).await;
    let nodes = [refuses, *cluster.nodes[0]];
    let (haproxy, nginx) = (Balancer::start(&nodes).await, Nginx::start(&nodes).await);
    let patience = Patience::default();
    while refused.load(Ordering::Relaxed) == 0 {
        assert_eq!(publish(haproxy.endpoint()).await, 200);
        patience.wait(|| "HAProxy asks the node that refuses".to_owned()).await;
    }
    let before = refused.load(Ordering::Relaxed);
    while refused.load(Ordering::Relaxed) == before {
        let status = publish(nginx.endpoint()).await;
        let is_refused = refused.load(Ordering::Relaxed) > before;
        assert_eq!(status, if is_refused { 503 } else { 200 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_goes_to_another_node_where_the_first_is_gone() {
    let cluster = TestCluster::start(1).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nodes = [Endpoint::new(gone), *cluster.nodes[0]];
    let (haproxy, nginx) = (Balancer::start(&nodes).await, Nginx::start(&nodes).await);
    for front in [haproxy.endpoint(), nginx.endpoint()] {
        for _ in 0..10 {
            front.publish("chat", "here").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn haproxy_logs_each_websocket_without_its_token() {
    let cluster = TestCluster::start(1).await;
    let front = Balancer::start(&[*cluster.nodes[0]]).await;
    let mut client = front.endpoint().connect("/ws/chat?token=SECRET").await;
    client.close(1000, "").await;
    let ended = "nodes/node1 GET /ws/chat 101 ";
    assert_eventually!(front.log().contains(ended), "the WebSocket is logged: {}", front.log());
    let log = front.log();
    assert!(!log.contains("SECRET") && !log.contains("/metrics"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_sees_behind_haproxy_who_takes_clients() {
    let mut cluster = TestCluster::start(2).await;
    let nodes = [*cluster.nodes[0], *cluster.nodes[1]];
    let front = Balancer::start(&nodes).await;
    let prometheus = Prometheus::start_beside(&nodes, Some(front.metrics())).await;
    let _client = front.endpoint().connect("/ws/chat").await;
    prometheus.comes_to("haproxy_backend_current_sessions{proxy='nodes'}", |sessions| sessions == 1.0).await;
    prometheus.comes_to("haproxy_backend_active_servers{proxy='nodes'}", |servers| servers == 2.0).await;
    prometheus.comes_to("count(up{job=~'fanfare.*'} == 1)", |up| up == 2.0).await;
    cluster.nodes.pop().unwrap().stop().await;
    prometheus.comes_to("haproxy_backend_active_servers{proxy='nodes'}", |servers| servers == 1.0).await;
}
