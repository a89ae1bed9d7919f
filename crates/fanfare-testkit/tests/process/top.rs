//! `fanfare top` with real nodes: it finds all of them from one, and continues when a node is away.

use std::time::Duration;

use fanfare_testkit::{Endpoint, Fleet, Process, Setup, redis_server};
use serde_json::Value;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The output of `fanfare top --json` for a node.
async fn top(url: &str) -> Value {
    let output = Process::once(&["top", "--json", "--url", url], "", &[]).await;
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The name and the connections of each node, in the order of the rows; `None` for a node that is away.
fn rows(sample: &Value) -> Vec<(&str, Option<u64>)> {
    let row = |node: &Value| {
        assert_eq!(node["away"].is_null(), node["connections"].is_u64(), "{node}");
        node["connections"].as_u64()
    };
    sample["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["name"].as_str().unwrap(), row(node)))
        .collect()
}

/// Publishes until it is told to end, at a pace: the clients do not read, and a node drops slow clients.
async fn publish(node: Endpoint, until: CancellationToken) {
    while !until.is_cancelled() {
        node.publish("chat", "hello").await;
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn top_sees_all_nodes_from_one() {
    let redis = redis_server().await;
    let fleet = Fleet::start([redis.url(), redis.url(), redis.url()]).await;
    let [first, second, third] = &fleet.nodes[..] else { panic!("not three") };
    let mut clients = Vec::new();
    for (node, count) in fleet.nodes.iter().zip(1..) {
        for _ in 0..count {
            clients.push(node.connect("/chat").await);
        }
    }
    for node in &fleet.nodes {
        node.sees(&[("node-1", 1), ("node-2", 2), ("node-3", 3)]).await;
    }

    let enough = CancellationToken::new();
    let publishing = tokio::spawn(publish(first.endpoint(), enough.clone()));
    let sample = top(&third.url()).await;
    enough.cancel();
    publishing.await.unwrap();
    assert_eq!(rows(&sample), [("node-1", Some(1)), ("node-2", Some(2)), ("node-3", Some(3))]);
    let total = &sample["total"];
    assert_eq!(
        (total["nodes"].as_u64(), total["away"].as_u64(), total["connections"].as_u64()),
        (Some(3), Some(0), Some(6))
    );
    for (node, row) in fleet.nodes.iter().zip(sample["nodes"].as_array().unwrap()) {
        assert_eq!(row["metrics"], format!("{}/metrics", node.url()));
        assert_eq!((&row["broker"], &row["draining"]), (&"up".into(), &false.into()), "{row}");
        assert!(row["deliveries_per_second"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["relay_latency_seconds"]["p99"].is_f64() && row["uptime_seconds"].is_u64(), "{row}");
    }

    second.freeze();
    let sample = top(&third.url()).await;
    assert_eq!(rows(&sample), [("node-1", Some(1)), ("node-2", None), ("node-3", Some(3))]);
    assert!(sample["nodes"][1]["away"].as_str().unwrap().contains("no answer within"), "{sample}");
    assert_eq!(
        (sample["total"]["away"].as_u64(), sample["total"]["connections"].as_u64()),
        (Some(1), Some(4))
    );
    second.thaw();
    let sample = top(&second.url()).await;
    assert_eq!(rows(&sample), [("node-1", Some(1)), ("node-2", Some(2)), ("node-3", Some(3))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_on_the_metrics_listener_only() {
    let toml = "metrics.listen = [\"127.0.0.1:0\"]\nnode.advertise = \"metrics.example:9000\"";
    let node = Setup::memory().toml(toml).start().await;
    let metrics = Endpoint::new(node.addresses().metrics[0]);
    let [public, apart] = [node.get("/api/cluster").await.json(), metrics.get("/api/cluster").await.json()];
    assert_eq!((&public["node"], &public["state"]), (&"test".into(), &"up".into()));
    assert!(public["figures"].is_null() && public["nodes"][0]["metrics"].is_null(), "{public}");
    assert_eq!(apart["figures"]["connections"], 0);
    assert_eq!(apart["nodes"][0]["metrics"], "http://metrics.example:9000/metrics");

    let output = Process::once(&["top", "--url", &node.url()], "", &[]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("`metrics.listen`"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_terminal_top_prints_a_table() {
    let node = Setup::memory().named("alone").start().await;
    let toml = format!("listen = [\"{}\"]", node.address());
    let output = Process::once(&["top"], &toml, &[]).await;
    let table = String::from_utf8(output.stdout).unwrap();
    let heads: Vec<_> = table.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert!(output.status.success() && !table.contains('\u{1b}'), "{table}");
    assert_eq!(heads, ["NODE", "alone", "TOTAL"]);
    node.stop().await;
    let output = Process::once(&["top"], &toml, &[]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("connection refused") && said.contains("--url"),
        "{said}"
    );
}
