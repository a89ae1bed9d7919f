//! The hub's guarantees, with a dialect and a transport of the tests' own. The hub's code names neither.
//!
//! Most tests run on one thread with paused time: a tick runs only where a test awaits, and [`support::settle`] ends
//! once every task is idle.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod support;

mod budget;
mod by_server;
mod calls;
mod cluster;
mod concurrent;
mod conflating;
mod connecting;
mod counting;
mod critical_tasks;
mod differences;
mod dispatching;
mod drain;
mod echo;
mod ending;
mod events;
mod fan_out;
mod feeding;
mod filtering;
mod flow;
mod goodbye;
mod healing;
mod heartbeat;
mod held;
mod hooks;
mod identity;
mod incomplete;
mod interruption;
mod joining;
mod latency;
mod news;
mod outbound;
mod polling;
mod presence;
mod reading;
mod recovery;
mod refreshing;
mod reload;
mod revoking;
mod slow;
mod stall;
mod stress;
mod subscribing;
mod subscribing_with_options;
mod telling;
mod traced;
mod traffic;
mod transport;
