//! The brokers that carry publications between nodes, and one suite that each passes.
//!
//! - [`driver`]: which brokers there are, how each is named in the configuration, and how each is started
//! - `memory`: the broker of a node that is alone
//! - `redis`: Redis Pub/Sub
//! - [`envelope`]: what a publication looks like between nodes
//! - `fair`: whose turn it is, where more waits than is taken
//! - `ticket`, `metrics`, `backoff`, `tasks`: what brokers share
//!
//! With the feature `suite`, for tests:
//!
//! - `suite`: what every broker must do
//! - `redis_server`: a redis-server of the test's own

pub mod driver;
pub mod envelope;

mod backoff;
mod fair;
mod memory;
mod metrics;
mod redis;
mod tasks;
mod ticket;

pub use driver::{BrokerConfig, BrokerConfigError, Node, RedisConfig, Secret, StartError, Started, start};
pub use redis::{
    names::{Prefix, PrefixError},
    registry::TIME_TO_LIVE,
    tls::{RedisTls, is_of_an_authority},
    watchdog::Watch,
};

#[cfg(feature = "suite")]
pub mod redis_server;
#[cfg(feature = "suite")]
pub mod suite;
