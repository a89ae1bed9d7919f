//! The metrics of the hub. The hot path pays a relaxed counter for them.
//!
//! - `hub_metrics`: all of them
//! - [`connections`]: connections, opened, open and closed
//! - [`traffic_totals`]: messages and bytes of all connections
//! - `history`: channels with history
//! - `fan_out`, `latency`: deliveries, their writes and their latency

pub mod connections;
mod fan_out;
mod history;
mod hub_metrics;
mod latency;
pub mod traffic_totals;

pub(crate) use fan_out::Busy;
pub use fan_out::FanOut;
pub use history::HistoryMetrics;
pub(crate) use history::{Heal, Purpose, Recovery};
pub use hub_metrics::HubMetrics;
pub(crate) use latency::Latencies;
pub use latency::RelayLatency;
