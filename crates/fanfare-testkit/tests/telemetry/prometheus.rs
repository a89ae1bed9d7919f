//! A real Prometheus, with the configuration that is shipped, understands what nodes say of themselves; and whatever a
//! dashboard or a rule asks, it has an answer to.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::time::Duration;

use fanfare_testkit::{
    Client, Endpoint, Process, Prometheus, RawClient, TestCluster, assert_eventually, redis_server,
};
use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};

const OVERVIEW: &str = include_str!("../../../deploy/grafana/dashboards/overview.json");
const NODE: &str = include_str!("../../../deploy/grafana/dashboards/node.json");

/// How often each node's talker goes round.
const EVERY: Duration = Duration::from_millis(100);

/// Time and memory are the machine's, which others use too.
const OF_THE_MACHINE: [&str; 2] = ["seconds", "memory"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_scrapes_three_nodes_and_adds_them_up() {
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

    // One node has 1 subscriber of them, one 2, one 4. The series were there before, so the first are seen too.
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
        assert!(wrong.is_empty() || is_of_the_machine, "nothing is wrong: {rule:?} {wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_every_panel_and_rule_has_data_on_a_cluster_under_load() {
    let redis = redis_server().await;
    let mut processes = Vec::new();
    for name in ["node-1", "node-2", "node-3"] {
        let limits = [("FANFARE_LIMITS__OUTBOUND_BYTES", "256KiB")];
        processes.push(Process::start_with(name, &redis.url(), &limits).await);
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
    // That asks for what is not there: its unit tests and `make alerts` hold it.
    for rule in prometheus.rules().await.into_iter().filter(|rule| rule.name != "FanfareClusterDown") {
        let query = if rule.is_alert { without_comparisons(&rule.query) } else { rule.name.clone() };
        has_data(&prometheus, &rule.name, &query).await;
    }
}

/// Waits for a sample that is a number: a quantile of nothing is none.
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

/// The title of each panel, and what it asks; and what the variables are made of.
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

/// A query as Grafana would ask it, of these nodes; four scrapes make a rate.
fn with(query: &str, nodes: &str) -> String {
    query.replace("$__rate_interval", "4s").replace("$job", "fanfare").replace("$node", nodes)
}

/// What an alert compares: it has data where nothing is wrong too.
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

/// Clients that stay and listen, one that talks, others that come and go, one that does not read, some that are refused:
/// at each node. Ends when dropped.
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
            // It is kept, and never read from.
            let _sleeper: RawClient = sleeper;
            let mut talker = node.connect(&format!("/ws/talk-{}", node.address().port())).await;
            loop {
                talker.text("hello").await;
                talker.expect("hello").await;
                drop(node.connect("/ws/visitors").await);
                node.upgrade("/metrics", &[]).await.is(404, "");
                node.publish("large", "x".repeat(20_000)).await;
                sleep(EVERY).await;
            }
        });
    }
    load
}
