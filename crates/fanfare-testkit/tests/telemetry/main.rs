//! Metrics, logs and traces: complete, documented, and without secrets.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says by a panic what is wrong"
)]

mod counters;
mod ledger;
mod logs;
mod metrics;
mod planted;
mod prometheus;
mod secrets;
mod traces;
