//! Helpers of these tests.
//!
//! - `fake`: a server that answers as a test wants
//! - `proxy`: loses bytes on the way
//! - `cutter`: cuts the publisher's connection at a byte
//! - `switch`: a name that leads to another server
//! - `outcomes`: the outcomes of numbered publications
//! - `log`: the log of a test's thread

mod cutter;
mod fake;
mod log;
mod outcomes;
mod proxy;
mod switch;

pub(crate) use cutter::{Cutter, To};
pub(crate) use fake::FakeRedis;
pub(crate) use log::Log;
pub(crate) use outcomes::{Outcomes, assert_restored, channel, delivered, publish};
pub(crate) use proxy::Proxy;
pub(crate) use switch::Switch;

use fanfare_broker::BrokerConfig;

/// The configuration of a node for a port of this machine.
pub(crate) fn config(port: u16) -> BrokerConfig {
    format!("redis://127.0.0.1:{port}").parse().unwrap()
}
