//! A Prometheus that scrapes nodes, with the configuration that is shipped.

use std::{io, net::SocketAddr, path::Path, process::Stdio};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{Endpoint, assert_eventually};

/// What is shipped.
const SHIPPED: &str = include_str!("../../../deploy/prometheus/prometheus.yml");
const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yml");

/// A Prometheus; killed when dropped.
#[derive(Debug)]
pub struct Prometheus {
    endpoint: Endpoint,
    process: Child,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes these nodes each second; returns once it answers.
    ///
    /// # Panics
    /// Where it does not start; the sentence says what is missing.
    pub async fn start(nodes: &[Endpoint]) -> Self {
        let started = || {
            let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let folder = TempDir::new()?;
            std::fs::write(folder.path().join("prometheus.yml"), configuration(nodes))?;
            std::fs::write(folder.path().join("alerts.yml"), ALERTS)?;
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

    /// What the shipped alerts ask; something is wrong where an answer is not empty.
    #[must_use]
    pub fn alerts() -> Vec<String> {
        let question = |line: &str| line.trim().strip_prefix("expr: ").map(str::to_owned);
        ALERTS.lines().filter_map(question).collect()
    }

    /// Asks a question in PromQL. The samples of the answer: labels, and value.
    ///
    /// # Panics
    /// Where it is no question, or the answer none.
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
            None => panic!("{promql} has no vector for an answer: {answer}"),
        }
    }

    /// Returns once a question has one sample for an answer, whose value is right.
    pub async fn comes_to(&self, promql: &str, is_right: impl Fn(f64) -> bool) {
        let mut answer;
        assert_eventually!(
            {
                answer = self.query(promql).await;
                matches!(answer[..], [(_, value)] if is_right(value))
            },
            "{promql} comes to what it should, not {answer:?}"
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
            "prometheus ended at once: is its configuration right? (promtool check config)"
        );
        assert_eventually!(self.endpoint.get("/-/ready").await.status == 200, "prometheus is ready");
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }
}

/// The shipped configuration with these nodes, and without patience.
fn configuration(nodes: &[Endpoint]) -> String {
    let targets: Vec<_> = nodes.iter().map(|node| node.address().to_string()).collect();
    let replaced = |line: &str| {
        let (indent, word) = line.split_at(line.len() - line.trim_start().len());
        match word.split_once(": ") {
            Some((key @ ("scrape_interval" | "evaluation_interval"), _)) => format!("{indent}{key}: 1s\n"),
            Some((key @ "- targets", _)) => format!("{indent}{key}: [{}]\n", targets.join(", ")),
            _ => format!("{line}\n"),
        }
    };
    SHIPPED.lines().map(replaced).collect()
}

fn prometheus(folder: &Path, address: SocketAddr) -> io::Result<Child> {
    let mut command = Command::new("prometheus");
    command.current_dir(folder).arg("--config.file=prometheus.yml").arg("--storage.tsdb.path=data");
    command.arg(format!("--web.listen-address={address}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()
}
