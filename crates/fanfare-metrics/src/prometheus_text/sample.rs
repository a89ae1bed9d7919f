//! A node's main metrics, at one moment and between two.

use std::time::Duration;

use fanfare_core::broker::BrokerState;
use serde::Serialize;

use super::{
    buckets::Buckets,
    lines::{self, Line},
};

/// A node's metrics at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Open sessions.
    pub connections: f64,
    /// Publications that were handed to subscribers so far.
    pub deliveries: f64,
    /// Publications that came from clients so far.
    pub received: f64,
    /// Bytes that wait for sockets, at most.
    pub queued_bytes: f64,
    /// The seconds from the publish on its node to the write here, so far.
    pub relay_latency: Buckets,
    /// The worst state of the broker's partitions; `None` for a state that this release does not know.
    pub broker: Option<BrokerState>,
    /// The number of its partitions.
    pub partitions: usize,
    /// The number of them that are up.
    pub partitions_up: usize,
    /// Whether the node was told to end.
    pub is_draining: bool,
    /// The start of its process: seconds since 1970.
    pub started: Option<f64>,
}

/// A node's work between two moments, per second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    /// Publications that were handed to subscribers.
    pub deliveries: f64,
    /// Publications that came from clients.
    pub received: f64,
    /// The relay latencies of all publications between the two moments, not per second.
    pub relay_latency: Buckets,
}

impl Sample {
    /// A sample from the answer of `/metrics`. A missing series counts as 0. `None`: the answer is not a node's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mut sample, mut latency, mut is_node) = (Self::default(), Vec::new(), false);
        for line in lines::lines(text) {
            match line.name {
                "fanfare_connections" => {
                    is_node = true;
                    sample.connections += line.value;
                }
                "fanfare_deliveries_total" => sample.deliveries += line.value,
                "fanfare_messages_received_total" => sample.received += line.value,
                "fanfare_outbound_queued_bytes" => sample.queued_bytes += line.value,
                "fanfare_relay_latency_seconds_bucket" => latency.extend(bucket(&line)),
                "fanfare_broker_state" if line.value == 1.0 => sample.partition(state(&line)),
                "fanfare_draining" => sample.is_draining = line.value == 1.0,
                "process_start_time_seconds" => sample.started = Some(line.value),
                _ => {}
            }
        }
        sample.relay_latency = Buckets::from_cumulative(latency);
        is_node.then_some(sample)
    }

    fn partition(&mut self, state: Option<BrokerState>) {
        self.partitions += 1;
        self.partitions_up += usize::from(state == Some(BrokerState::Up));
        if self.partitions == 1 || self.broker.map(BrokerState::severity) < state.map(BrokerState::severity) {
            self.broker = state;
        }
    }

    /// The rates since `before`, which was taken `ago`.
    #[must_use]
    pub fn since(&self, before: &Self, ago: Duration) -> Rates {
        let seconds = ago.as_secs_f64().max(0.001);
        Rates {
            deliveries: rise(before.deliveries, self.deliveries) / seconds,
            received: rise(before.received, self.received) / seconds,
            relay_latency: self.relay_latency.since(&before.relay_latency),
        }
    }
}

/// Quantiles of the relay latency, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// The upper limit of half of the publications.
    pub p50: f64,
    /// The upper limit of all but one in a hundred.
    pub p99: f64,
}

impl Rates {
    /// The quantiles of the relay latencies, if there were any.
    #[must_use]
    pub fn quantiles(&self) -> Option<Quantiles> {
        let quantile = |share| self.relay_latency.quantile(share);
        Some(Quantiles { p50: quantile(0.5)?, p99: quantile(0.99)? })
    }
}

/// The rise of a counter. A counter that fell belongs to a new process: it began at 0.
fn rise(before: f64, after: f64) -> f64 {
    if after < before { after } else { after - before }
}

fn state(line: &Line<'_>) -> Option<BrokerState> {
    let said = line.label("state")?;
    BrokerState::ALL.into_iter().find(|state| state.name() == said)
}

fn bucket(line: &Line<'_>) -> Option<(f64, f64)> {
    Some((line.label("le")?.parse().ok()?, line.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
fanfare_connections 3
fanfare_deliveries_total 100
fanfare_messages_received_total 10
fanfare_outbound_queued_bytes 4096
fanfare_broker_state{state="up"} 0
fanfare_broker_state{state="away"} 1
fanfare_draining 1
fanfare_relay_latency_seconds_bucket{origin="other",le="0.001"} 1
fanfare_relay_latency_seconds_bucket{origin="other",le="+Inf"} 1
fanfare_relay_latency_seconds_bucket{origin="self",le="0.001"} 2
fanfare_relay_latency_seconds_bucket{origin="self",le="+Inf"} 4
process_start_time_seconds 1700000000
"#;

    #[test]
    fn a_sample_is_read_from_a_nodes_metrics() {
        let sample = Sample::parse(TEXT).unwrap();
        assert_eq!((sample.connections, sample.deliveries, sample.received), (3.0, 100.0, 10.0));
        assert_eq!((sample.queued_bytes, sample.broker), (4096.0, Some(BrokerState::Away)));
        assert_eq!((sample.is_draining, sample.started), (true, Some(1.7e9)));
        assert_eq!(sample.relay_latency.count(), 5.0);
        assert_eq!(Sample::parse("up 1\n<html>"), None);
    }

    #[test]
    fn the_worst_partition_is_the_state() {
        let text = r#"
fanfare_connections 3
fanfare_broker_state{shard="a",state="up"} 1
fanfare_broker_state{shard="b",state="deaf"} 1
fanfare_broker_state{shard="b",state="up"} 0
fanfare_broker_state{shard="c",state="up"} 1
"#;
        let sample = Sample::parse(text).unwrap();
        let seen = (sample.broker, sample.partitions, sample.partitions_up);
        assert_eq!(seen, (Some(BrokerState::Deaf), 3, 2));
    }

    #[test]
    fn rates_survive_a_restart() {
        let before = Sample::parse(TEXT).unwrap();
        let after = Sample { deliveries: 300.0, received: 5.0, ..before.clone() };
        let rates = after.since(&before, Duration::from_secs(2));
        assert_eq!((rates.deliveries, rates.received, rates.relay_latency.count()), (100.0, 2.5, 0.0));
    }
}
