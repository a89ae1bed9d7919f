//! A server that answers as a test wants, a proxy that loses bytes, a name that leads elsewhere, and what became of publications.

mod fake;
mod outcomes;
mod proxy;
mod switch;

pub(crate) use fake::FakeRedis;
pub(crate) use outcomes::{Answered, Outcomes, assert_restored, channel, delivered, publish};
pub(crate) use proxy::Proxy;
pub(crate) use switch::Switch;

use fanfare_broker::BrokerConfig;

/// How a node reaches a port of this machine.
pub(crate) fn config(port: u16) -> BrokerConfig {
    format!("redis://127.0.0.1:{port}").parse().unwrap()
}
