//! The brokers that carry publications between nodes. The suite that each passes is the crate `fanfare-broker-suite`.
//!
//! - [`driver`]: which brokers there are, how each is named, and how each is started
//! - `node`: what a broker has to know of its node, and what its driver starts
//! - [`envelope`]: what a publication looks like between nodes
//! - `memory`: the broker of a node that is alone
//! - `redis`: Redis Pub/Sub
//! - `liveness`: whether a broker answers, delivers, and lost something; without any broker's I/O
//! - `fair_queue`: whose turn it is, where more waits than is taken
//! - `ticket`: one publish that waits for its answer
//! - `bounds`: how long a publish may be
//! - `metrics`, `backoff`, `tasks`: what brokers share

pub mod driver;
pub mod envelope;

mod backoff;
mod bounds;
mod fair_queue;
mod liveness;
mod memory;
mod metrics;
mod node;
mod redis;
mod tasks;
mod ticket;

pub use driver::{BrokerConfig, BrokerConfigError, StartError, Started, start};
pub use liveness::watchdog::Watch;
pub use node::{Node, TIME_TO_LIVE};
pub use redis::{
    connection::{
        address::{RedisConfig, RedisUrlError, Secret},
        tls::{RedisTls, is_of_an_authority},
    },
    names::{Prefix, PrefixError},
};
