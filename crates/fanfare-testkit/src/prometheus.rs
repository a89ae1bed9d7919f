//! Prometheus that scrapes nodes, with the shipped configuration.

use std::{io, net::SocketAddr, path::Path, process::Stdio};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    assert_eventually,
    endpoint::{Endpoint, free_address},
};

/// The shipped configuration.
const SHIPPED: &str = include_str!("../../../deploy/prometheus/prometheus.yml");
const RULES: [(&str, &str); 2] = [
    ("recording.yml", include_str!("../../../deploy/prometheus/recording.yml")),
    ("alerts.yml", include_str!("../../../deploy/prometheus/alerts.yml")),
];

/// The range of short rules, for faults of a few seconds.
const SHORT: &str = "[10s]";

/// A Prometheus. Killed when dropped.
#[derive(Debug)]
pub struct Prometheus {
    endpoint: Endpoint,
    process: Child,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts a Prometheus that scrapes these nodes each second. Returns once it answers.
    pub async fn start(nodes: &[Endpoint]) -> Self {
        Self::start_beside(nodes, None).await
    }

    /// As [`start`](Self::start), and it scrapes a balancer too, at its metrics.
    pub async fn start_beside(nodes: &[Endpoint], balancer: Option<Endpoint>) -> Self {
        Self::start_with(nodes, balancer, RULES.map(|(name, rules)| (name, rules.to_owned()))).await
    }

    /// As [`start`](Self::start), with alerts that fire at once (without `for`) and look back ten seconds.
    pub async fn start_quick(nodes: &[Endpoint]) -> Self {
        Self::start_with(nodes, None, RULES.map(|(name, rules)| (name, quick(rules)))).await
    }

    /// # Panics
    /// If it does not start, with what is missing.
    async fn start_with(nodes: &[Endpoint], balancer: Option<Endpoint>, rules: [(&str, String); 2]) -> Self {
        let started = || {
            let address = free_address()?;
            let folder = TempDir::new()?;
            std::fs::write(folder.path().join("prometheus.yml"), configuration(nodes, balancer.as_slice()))?;
            for (name, rules) in &rules {
                std::fs::write(folder.path().join(name), rules)?;
            }
            let process = prometheus(folder.path(), address)?;
            Ok(Self { endpoint: Endpoint::new(address), process, _folder: folder })
        };
        let mut prometheus = match started() {
            Ok(started) => started,
            Err::<_, io::Error>(error) => {
                panic!("prometheus: {error} (on Debian: apt-get install prometheus)")
            }
        };
        prometheus.answers().await;
        prometheus
    }

    /// The shipped rules, as Prometheus parsed them.
    ///
    /// # Panics
    /// If Prometheus does not list them.
    pub async fn rules(&self) -> Vec<Rule> {
        let answer = self.endpoint.get("/api/v1/rules").await.json();
        let groups = answer.pointer("/data/groups").and_then(Value::as_array);
        let rules = groups.into_iter().flatten().filter_map(|group| group.get("rules")?.as_array()).flatten();
        let rules: Vec<_> = rules.filter_map(Rule::of).collect();
        assert!(!rules.is_empty(), "Prometheus has no rules: {answer}");
        rules
    }

    /// The labels of each series for which an alert fires.
    pub async fn firing(&self, alert: &str) -> Vec<Value> {
        let firing = self.query(&format!("ALERTS{{alertname=\"{alert}\", alertstate=\"firing\"}}")).await;
        firing.into_iter().map(|(labels, _)| labels).collect()
    }

    /// The samples of a query in PromQL: labels, and value.
    ///
    /// # Panics
    /// If the query is wrong, or its answer is not a vector.
    pub async fn query(&self, promql: &str) -> Vec<(Value, f64)> {
        let path = format!("/api/v1/query?query={}", utf8_percent_encode(promql, NON_ALPHANUMERIC));
        let answer = self.endpoint.get(&path).await;
        assert_eq!(answer.status, 200, "{promql}: {}", answer.text());
        let answer = answer.json();
        let samples = answer.pointer("/data/result").and_then(Value::as_array);
        let sample = |sample: &Value| {
            let value = sample.pointer("/value/1")?.as_str()?.parse().ok()?;
            Some((sample.get("metric")?.clone(), value))
        };
        match samples.and_then(|samples| samples.iter().map(sample).collect()) {
            Some(samples) => samples,
            None => panic!("the answer to {promql} is not a vector: {answer}"),
        }
    }

    /// Waits until a query has one sample with a right value.
    pub async fn comes_to(&self, promql: &str, is_right: impl Fn(f64) -> bool) {
        let mut answer;
        assert_eventually!(
            {
                answer = self.query(promql).await;
                matches!(answer[..], [(_, value)] if is_right(value))
            },
            "{promql} has a right value, not {answer:?}"
        );
    }

    async fn answers(&mut self) {
        let address = self.endpoint.address();
        assert_eventually!(
            tokio::net::TcpStream::connect(address).await.is_ok() || self.has_ended(),
            "prometheus listens"
        );
        assert!(
            !self.has_ended(),
            "prometheus ended at once: check its configuration (promtool check config)"
        );
        assert_eventually!(self.endpoint.get("/-/ready").await.status == 200, "prometheus is ready");
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }
}

/// A rule of Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The alert, or the recorded series.
    pub name: String,
    /// The query. A result of an alert's query is a fault.
    pub query: String,
    /// Whether the rule is an alert.
    pub is_alert: bool,
}

impl Rule {
    fn of(rule: &Value) -> Option<Self> {
        let text = |field| rule.get(field)?.as_str();
        let (name, query) = (text("name")?.to_owned(), text("query")?.to_owned());
        Some(Self { name, query, is_alert: text("type")? == "alerting" })
    }
}

/// The rules without waiting: a fault is seen as soon as it is scraped, and forgotten soon after.
fn quick(rules: &str) -> String {
    let ranges = |line: &str| {
        ["[1m]", "[2m]", "[5m]"].iter().fold(line.to_owned(), |line, range| line.replace(range, SHORT))
    };
    let lines = rules.lines().filter(|line| !line.trim_start().starts_with("for: "));
    lines.map(|line| ranges(line) + "\n").collect()
}

/// The shipped configuration with these targets, and short intervals.
fn configuration(nodes: &[Endpoint], balancers: &[Endpoint]) -> String {
    let mut targets = nodes;
    let mut replaced = |line: &str| {
        let (indent, word) = line.split_at(line.len() - line.trim_start().len());
        match word.split_once(": ") {
            Some((key @ ("scrape_interval" | "evaluation_interval"), _)) => format!("{indent}{key}: 1s\n"),
            Some(("- job_name", job)) => {
                targets = if job == "haproxy" { balancers } else { nodes };
                format!("{line}\n")
            }
            Some((key @ "- targets", _)) => {
                let targets: Vec<_> = targets.iter().map(|target| target.address().to_string()).collect();
                format!("{indent}{key}: [{}]\n", targets.join(", "))
            }
            _ => format!("{line}\n"),
        }
    };
    SHIPPED.lines().map(&mut replaced).collect()
}

fn prometheus(folder: &Path, address: SocketAddr) -> io::Result<Child> {
    let mut command = Command::new("prometheus");
    command.current_dir(folder).arg("--config.file=prometheus.yml").arg("--storage.tsdb.path=data");
    command.arg(format!("--web.listen-address={address}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()
}
