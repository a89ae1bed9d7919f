//! The metrics of a node at `/metrics`: documented to the last name, and valid for Prometheus.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
};

use fanfare_testkit::{Endpoint, KEY, Process, TestCluster, assert_eventually, metrics::Family, within};
use serde_json::json;
use tokio::{io::AsyncWriteExt, process::Command};

const DOCUMENTED: &str = include_str!("../../../../docs/metrics.md");
/// Other documents that name metrics.
const READ: [(&str, &str); 10] = [
    ("ARCHITECTURE.md", include_str!("../../../../ARCHITECTURE.md")),
    ("deploy/grafana/dashboards/node.json", include_str!("../../../../deploy/grafana/dashboards/node.json")),
    (
        "deploy/grafana/dashboards/overview.json",
        include_str!("../../../../deploy/grafana/dashboards/overview.json"),
    ),
    ("deploy/prometheus/alerts.yml", include_str!("../../../../deploy/prometheus/alerts.yml")),
    ("deploy/prometheus/recording.yml", include_str!("../../../../deploy/prometheus/recording.yml")),
    ("docs/guarantees.md", include_str!("../../../../docs/guarantees.md")),
    ("docs/metrics.md", DOCUMENTED),
    ("docs/operations.md", include_str!("../../../../docs/operations.md")),
    ("docs/redis.md", include_str!("../../../../docs/redis.md")),
    ("SECURITY.md", include_str!("../../../../SECURITY.md")),
];

/// The metrics of a fresh node. All have series from the start.
async fn fresh() -> BTreeMap<String, Family> {
    let cluster = TestCluster::start(1).await;
    let families = cluster.nodes[0].metrics().await.families();
    assert!(families.len() > 30, "{families:?}");
    families
}

/// The rows of `docs/metrics.md`: `` | `name` | type | `label`, `label` | meaning | ``.
fn documented() -> Vec<(String, String, BTreeSet<String>)> {
    let code = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let row = |line: &'static str| {
        let cells: Vec<_> = line.strip_prefix("| `")?.split('|').collect();
        let [name, kind, labels, ..] = cells[..] else { return None };
        let name = name.trim().trim_end_matches('`').to_owned();
        is_metric(&name).then(|| (name, kind.trim().to_owned(), code(labels).into_iter().collect()))
    };
    DOCUMENTED.lines().filter_map(row).collect()
}

fn is_metric(name: &str) -> bool {
    name.starts_with("fanfare_") || name.starts_with("process_")
}

fn row(name: &str, Family { kind, help, labels }: &Family) -> String {
    let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
    format!("| `{name}` | {kind} | {labels} | {help} |")
}

#[tokio::test]
async fn docs_name_exactly_the_shown_metrics() {
    let (families, documented) = (fresh().await, documented());
    let mut mistakes = Vec::new();
    for (name, family) in &families {
        let rows: Vec<_> = documented.iter().filter(|(of, ..)| of == name).collect();
        match rows[..] {
            [(_, kind, labels)] if (kind, labels) == (&family.kind, &family.labels) => {}
            [_] => mistakes.push(format!("wrong type or labels, it is:\n{}", row(name, family))),
            [] => mistakes.push(format!("missing, add to a table:\n{}", row(name, family))),
            _ => mistakes.push(format!("there are {} rows for `{name}`, one is enough", rows.len())),
        }
    }
    let unknown = documented.iter().filter(|(name, ..)| !families.contains_key(name));
    mistakes.extend(unknown.map(|(name, ..)| {
        format!("`{name}` is not shown by a fresh node: remove its row, or make its series at start")
    }));
    assert!(mistakes.is_empty(), "docs/metrics.md:\n{}\n", mistakes.join("\n"));
}

#[tokio::test]
async fn other_documents_name_known_metrics() {
    let families = fresh().await;
    let mut unknown = BTreeSet::new();
    for (file, text) in READ {
        // The name of a recorded series has colons, and a metric as a part.
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':'));
        let words = words.map(|word| word.trim_matches(':'));
        for name in words.filter(|word| is_metric(word) && !word.ends_with('_')) {
            let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            if !families.contains_key(of_histogram.unwrap_or(name)) {
                unknown.insert(format!("{file}: a fresh node shows no {name}"));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[tokio::test]
async fn bounds_are_metrics_and_follow_a_reload() {
    let flags = ["--listen", "127.0.0.1:0", "--node", "test", "--broker", "memory"];
    let node = Process::serve(&flags, "limits.connections = 10").await;
    assert_eq!(node.metric("fanfare_connections_limit").await, 10.0);
    node.reload("limits = { connections = 20, inbound_bytes = \"8MiB\", history_bytes = \"16MiB\", incomplete_total_bytes = \"32MiB\", outbound_total_bytes = \"64MiB\" }")
        .await;
    for (bound, value) in [
        ("fanfare_connections_limit", 20.0),
        ("fanfare_inbound_queued_limit_bytes", f64::from(8 << 20)),
        ("fanfare_history_tail_limit_bytes", f64::from(16 << 20)),
        ("fanfare_outbound_queued_limit_bytes", f64::from(64 << 20)),
        ("fanfare_incomplete_limit_bytes", f64::from(32 << 20)),
    ] {
        assert_eq!(node.metric(bound).await, value, "{bound}");
    }
    let metrics = node.metrics().await;
    let [available, limit] =
        ["fanfare_memory_available_bytes", "fanfare_memory_limit_bytes"].map(|name| metrics.sum(name));
    assert!(0.0 < available && available < limit, "{available} of {limit}");
}

#[tokio::test]
async fn promtool_accepts_all_and_no_series_is_late() {
    let cluster = TestCluster::start(2).await;
    let node = *cluster.nodes[0];
    let before = node.metrics().await;
    provoke(&cluster, node).await;
    let after = node.metrics().await;
    for metrics in [&before, &after] {
        assert_eq!(promtool(metrics.text()).await, "", "{}", metrics.text());
    }
    let (before, after) = (before.series(), after.series());
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new(), "make them at start");
}

/// Raises many series.
async fn provoke(cluster: &TestCluster, node: Endpoint) {
    let mut client = node.connect("/ws/a").await;
    client.text("hello").await;
    client.expect("hello").await;
    cluster.plain_publish("a", b"plain").await;
    cluster.plain_publish("a", b"\xc1\xfa\xff").await;
    node.upgrade("/ws/a", &[("Origin", "https://elsewhere.example")]).await.is(403, "origin");
    node.upgrade("/ws/a", &[("Sec-WebSocket-Version", "12")]).await.is(426, "13");
    node.upgrade("/ws/a%00", &[]).await.is(400, "");
    node.upgrade("/metrics", &[]).await.is(404, "not a channel");
    node.get("/assets/nothing").await.is(404, "nothing");
    node.post(&json!({"channel": "a"})).await.is(400, "data");
    node.request("POST", "/api/publish", &[], "{}").await.is(401, "");
    node.request("POST", "/api/nothing", &[("X-API-Key", KEY)], "").await.is(404, "");
    let mut garbage = node.raw().await;
    garbage.send(b"\0\0\r\n\r\n").await;
    garbage.end().await;
    let mut rude = node.raw().await;
    rude.upgrade("/ws/a", &[]).await.is(101, "");
    rude.send(&[0xff; 2]).await;
    rude.end().await;
    drop(node.connect("/ws/a").await);
    client.close(4321, "").await;
    for sample in [
        "fanfare_handshakes_refused_total{reason=\"origin\"}",
        "fanfare_api_errors_total{reason=\"bad_request\"}",
        "fanfare_http_errors_total{kind=\"parse\"}",
        "fanfare_broker_messages_dropped_total",
        "fanfare_fan_out_subscribers_count",
        "fanfare_delivery_writes_total",
        "fanfare_shard_busy_seconds_total",
        "fanfare_runtime_busy_seconds_total",
        "fanfare_runtime_tasks",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert_eventually!(has_moved(node, sample).await, "{sample} moves");
    }
    assert_eventually!(node.metric("fanfare_subscriptions").await == 0.0, "all clients are gone");
    let handshakes = |result| format!("fanfare_handshake_duration_seconds_count{{result=\"{result}\"}}");
    assert_eq!(node.metric(&handshakes("accepted")).await, 3.0);
    assert_eq!(node.metric(&handshakes("refused")).await, 4.0, "pages and the API are not handshakes");
}

async fn has_moved(node: Endpoint, sample: &str) -> bool {
    let text = node.get("/metrics").await.text();
    text.lines().any(|line| line.starts_with(sample) && !line.ends_with(" 0"))
}

/// The output of `promtool check metrics`.
async fn promtool(text: &str) -> String {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = match command.kill_on_drop(true).spawn() {
        Ok(promtool) => promtool,
        Err(error) => panic!("promtool: {error} (on Debian: apt-get install prometheus)"),
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    let output = within("promtool ends", promtool.wait_with_output()).await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() { said } else { format!("{}: {said}", output.status) }
}
