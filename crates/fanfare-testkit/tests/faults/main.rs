//! Faults of Redis, nodes and HAProxy while 200 clients publish. `make faults` runs the long ones too.

#![expect(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

mod flood;
mod haproxy;
mod history;
mod nodes;
mod partitions;
mod proxy;
mod redis;
