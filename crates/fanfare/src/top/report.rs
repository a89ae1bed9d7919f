//! The rows as JSON, for scripts.

use std::time::SystemTime;

use fanfare_core::broker::BrokerState;
use fanfare_metrics::prometheus_text::{Quantiles, Rates, Sample};
use humantime::format_rfc3339_millis;
use serde::Serialize;

use super::board::{Board, Row, State};

#[derive(Serialize)]
struct Report<'a> {
    /// RFC 3339.
    at: String,
    /// The node that gave the list.
    source: &'a str,
    nodes: Vec<Node<'a>>,
    total: Total,
}

#[derive(Serialize)]
struct Node<'a> {
    name: &'a str,
    version: &'a str,
    metrics: Option<String>,
    /// Why it does not answer; `null` if it does. The fields below are `null` otherwise.
    away: Option<&'a str>,
    #[serde(flatten)]
    figures: Figures,
    broker: Option<&'a str>,
    draining: Option<bool>,
    uptime_seconds: Option<u64>,
}

#[derive(Serialize)]
struct Total {
    nodes: usize,
    away: usize,
    #[serde(flatten)]
    figures: Figures,
}

/// A field is `null` if it is not known.
#[derive(Default, Serialize)]
struct Figures {
    connections: Option<u64>,
    deliveries_per_second: Option<f64>,
    messages_per_second: Option<f64>,
    relay_latency_seconds: Option<Quantiles>,
    queued_bytes: Option<u64>,
}

/// The report, as one line.
#[must_use]
pub fn json(board: &Board) -> String {
    let total = board.total();
    let report = Report {
        at: format_rfc3339_millis(SystemTime::now()).to_string(),
        source: &board.source,
        nodes: board.rows.iter().map(Node::of).collect(),
        total: Total {
            nodes: board.rows.len(),
            away: total.away,
            figures: Figures::of(&total.sample, total.rates.as_ref()),
        },
    };
    // It cannot fail: names are text, and numbers that JSON does not have are null.
    serde_json::to_string(&report).map(|line| line + "\n").unwrap_or_default()
}

impl<'a> Node<'a> {
    fn of(row: &'a Row) -> Self {
        let node = Self {
            name: &row.node.name,
            version: &row.node.version,
            metrics: row.node.metrics.as_ref().map(ToString::to_string),
            away: None,
            figures: Figures::default(),
            broker: None,
            draining: None,
            uptime_seconds: None,
        };
        match &row.state {
            State::New => Self { away: Some("not asked yet"), ..node },
            State::Away(why, _) => Self { away: Some(why), ..node },
            State::Here(reading) => Self {
                figures: Figures::of(&reading.sample, reading.rates.as_ref()),
                broker: reading.sample.broker.map(BrokerState::name),
                draining: Some(reading.sample.is_draining),
                uptime_seconds: reading.uptime(SystemTime::now()).map(|uptime| uptime.as_secs()),
                ..node
            },
        }
    }
}

impl Figures {
    fn of(sample: &Sample, rates: Option<&Rates>) -> Self {
        Self {
            connections: Some(sample.connections as u64),
            deliveries_per_second: rates.map(|rates| rates.deliveries),
            messages_per_second: rates.map(|rates| rates.received),
            relay_latency_seconds: rates.and_then(Rates::quantiles),
            queued_bytes: Some(sample.queued_bytes as u64),
        }
    }
}
