//! The hub's guarantees, held by a dialect and a transport of the tests' own: neither needed a word in the hub.
//!
//! Most run on one thread with paused time: a tick runs only where a test awaits, and [`support::settle`] ends
//! once every task is idle.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says by a panic what is wrong"
)]

mod support;

mod budget;
mod cluster;
mod conflating;
mod counting;
mod critical_tasks;
mod dispatching;
mod drain;
mod echo;
mod ending;
mod fan_out;
mod flow;
mod goodbye;
mod heartbeat;
mod incomplete;
mod interruption;
mod joining;
mod latency;
mod outbound;
mod reload;
mod slow;
mod stall;
mod stress;
mod subscribing;
mod traced;
mod traffic;
mod transport;
