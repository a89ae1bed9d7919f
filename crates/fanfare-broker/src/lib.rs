//! The brokers that carry publications between nodes. The suite that each passes is the crate `fanfare-broker-suite`.
//!
//! - [`driver`]: which brokers there are, how each is named, and how each is started
//! - `node`: the node of a broker, and the parts that a driver starts
//! - [`envelope`]: the bytes of a publication between nodes
//! - `memory`: the broker of a node that is alone
//! - `redis`: Redis Pub/Sub
//! - `liveness`: whether a broker answers, delivers, and loses nothing; without I/O
//! - `fair_queue`: the publications that wait, and the next one to leave
//! - `ticket`: one publish that waits for its answer
//! - `partitions`: several servers of Redis, or the parts of a Cluster, as one broker
//! - `control_order`: control messages that come through several partitions
//! - `bounds`: how long a publish may be
//! - `metrics`, `backoff`, `tasks`, `presence`, `revocation`: parts that brokers share

pub mod driver;
pub mod envelope;

mod backoff;
mod bounds;
mod control_order;
mod fair_queue;
mod liveness;
mod memory;
mod metrics;
mod node;
mod partitions;
mod presence;
mod redis;
mod revocation;
mod tasks;
mod ticket;

pub use driver::{BrokerConfig, BrokerConfigError, Servers, StartError, Started, start};
pub use liveness::watchdog::Watch;
pub use node::{Node, TIME_TO_LIVE};
pub use partitions::slot_of;
pub use redis::{
    connection::{
        address::{RedisConfig, RedisUrlError},
        place::{Cluster, Endpoint, Login, Place, Secret, Sentinels},
        tls::{RedisTls, is_of_an_authority},
    },
    names::{Prefix, PrefixError},
};
