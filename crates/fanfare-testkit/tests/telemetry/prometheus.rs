//! A real Prometheus with the shipped configuration understands the metrics of nodes, and every query of a dashboard or a
//! rule has an answer.

use std::time::Duration;

use fanfare_testkit::{
    Client, Endpoint, Process, Prometheus, RawClient, TestCluster, assert_eventually, redis_server,
};
use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};

const OVERVIEW: &str = include_str!("../../../../deploy/grafana/dashboards/overview.json");
const NODE: &str = include_str!("../../../../deploy/grafana/dashboards/node.json");

/// The time between two rounds of a node's talker.
const EVERY: Duration = Duration::from_millis(100);

/// Channels with history and presence beside those without.
const REMEMBERS: &str = "
limits.outbound_bytes = \"256KiB\"
[[namespace]]
name = \"past\"
history_size = 10
track_presence = true
";

/// Time and memory depend on the machine, which other processes use too.
const OF_THE_MACHINE: [&str; 2] = ["seconds", "memory"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_adds_up_three_nodes() {
    let cluster = TestCluster::start(3).await;
    let nodes: Vec<_> = cluster.nodes.iter().map(|node| **node).collect();
    let prometheus = Prometheus::start(&nodes).await;
    let mut clients: Vec<Client> = Vec::new();
    for (node, count) in nodes.iter().zip([1, 2, 4]) {
        for _ in 0..count {
            clients.push(node.connect("/ws/all").await);
        }
    }

    prometheus.comes_to("count(up{job='fanfare'} == 1)", |up| up == 3.0).await;
    prometheus.comes_to("sum(fanfare_connections)", |connections| connections == 7.0).await;
    prometheus.comes_to("sum(fanfare_subscriptions)", |subscriptions| subscriptions == 7.0).await;
    prometheus.comes_to("sum(fanfare_build_info)", |nodes| nodes == 3.0).await;

    // The nodes have 1, 2 and 4 subscribers. The series existed before, so the first publications count too.
    for _ in 0..10 {
        nodes[0].publish("all", "hello").await;
    }
    let median = "histogram_quantile(0.5, sum by (le) (rate(fanfare_fan_out_subscribers_bucket[1m])))";
    prometheus.comes_to(median, |median| 1.0 < median && median <= 2.0).await;
    let ratio = "sum(rate(fanfare_delivery_writes_total[1m])) / sum(rate(fanfare_deliveries_total[1m]))";
    prometheus.comes_to(ratio, |ratio| 0.0 < ratio && ratio <= 1.0).await;

    for rule in prometheus.rules().await.into_iter().filter(|rule| rule.is_alert) {
        let wrong = prometheus.query(&rule.query).await;
        let is_of_the_machine = OF_THE_MACHINE.iter().any(|word| rule.query.contains(word));
        assert!(wrong.is_empty() || is_of_the_machine, "an alert fires without a fault: {rule:?} {wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_has_data_under_load() {
    let redis = redis_server().await;
    let mut processes = Vec::new();
    for name in ["node-1", "node-2", "node-3"] {
        let flags = ["--listen", "127.0.0.1:0", "--node", name, "--broker", &redis.url()];
        let process = Process::serve(&flags, REMEMBERS).await;
        process.is_ready().await;
        processes.push(process);
    }
    let nodes: Vec<_> = processes.iter().map(Process::endpoint).collect();
    let prometheus = Prometheus::start(&nodes).await;
    let _load = load(&nodes).await;

    let one = nodes[0].address().to_string();
    let overview = queries(OVERVIEW).into_iter().map(|(panel, query)| (panel, with(&query, ".+")));
    let node = queries(NODE).into_iter().map(|(panel, query)| (panel, with(&query, &one)));
    let asked: Vec<_> = overview.chain(node).collect();
    assert!(asked.len() > 100, "{asked:?}");
    for (panel, query) in asked {
        has_data(&prometheus, &panel, &query).await;
    }
    // This alert is for missing data: its unit tests and `make alerts` cover it.
    for rule in prometheus.rules().await.into_iter().filter(|rule| rule.name != "FanfareClusterDown") {
        let query = if rule.is_alert { without_comparisons(&rule.query) } else { rule.name.clone() };
        has_data(&prometheus, &rule.name, &query).await;
    }
}

/// Waits for a sample that is a number: a quantile without data is NaN.
async fn has_data(prometheus: &Prometheus, what: &str, query: &str) {
    let mut answer;
    assert_eventually!(
        {
            answer = prometheus.query(query).await;
            answer.iter().any(|(_, value)| value.is_finite())
        },
        "{what} has data: {query} {answer:?}"
    );
}

/// The title and the queries of each panel, and the queries of the variables.
fn queries(dashboard: &str) -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(dashboard).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row") {
        for target in panel["targets"].as_array().unwrap() {
            queries.push((text(&panel["title"]), text(&target["expr"])));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(values) = variable["query"].as_str().and_then(|query| query.strip_prefix("label_values("))
        {
            let (series, label) = values.trim_end_matches(')').rsplit_once(", ").unwrap();
            queries.push((text(&variable["name"]), format!("count by ({label}) ({series})")));
        }
    }
    queries
}

/// A query as Grafana sends it, for these nodes. Four scrapes make a rate.
fn with(query: &str, nodes: &str) -> String {
    query.replace("$__rate_interval", "4s").replace("$job", "fanfare").replace("$node", nodes)
}

/// The metric that an alert compares: it has data without a fault too.
fn without_comparisons(query: &str) -> String {
    let is_operator = |word: &str| matches!(word, "==" | "!=" | ">" | "<" | ">=" | "<=");
    let mut kept = Vec::new();
    let mut words = query.split(' ');
    while let Some(word) = words.next() {
        if !is_operator(word) {
            kept.push(word);
            continue;
        }
        let bound = words.next().unwrap_or_default();
        let number = bound.trim_end_matches(')');
        assert!(number.parse::<f64>().is_ok(), "an alert compares with a number: {query}");
        kept.push(&bound[number.len()..]);
    }
    kept.join(" ")
}

/// The load of each node: clients that listen, one that talks, others that come and go, also to a channel with history,
/// one that does not read, and some that are refused. Ends when dropped.
async fn load(nodes: &[Endpoint]) -> JoinSet<()> {
    let mut load = JoinSet::new();
    for &node in nodes {
        for _ in 0..4 {
            let mut listener = node.connect("/ws/large").await;
            load.spawn(async move {
                loop {
                    listener.next().await;
                }
            });
        }
        let mut sleeper = node.raw().await;
        sleeper.upgrade("/ws/large", &[]).await.is(101, "");
        load.spawn(async move {
            // The client stays connected, and is never read.
            let _sleeper: RawClient = sleeper;
            let mut talker = node.connect(&format!("/ws/talk-{}", node.address().port())).await;
            loop {
                talker.text("hello").await;
                talker.expect("hello").await;
                drop(node.connect("/ws/visitors").await);
                drop(node.connect("/ws/past:visitors?last=5").await);
                node.publish("past:visitors", "hello").await;
                node.upgrade("/metrics", &[]).await.is(404, "");
                node.publish("large", "x".repeat(20_000)).await;
                sleep(EVERY).await;
            }
        });
    }
    load
}
