//! Several nodes on one Redis: broadcasts, the list of nodes, outages and losses of Redis.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

mod broadcast;
mod emulation;
mod gaps;
mod latency;
mod names;
mod nodes;
mod outage;
mod redis_tls;
mod sentinel_tls;
