//! Servers that a measurement starts for itself, on loopback.

mod node;
mod redis;
mod redis_group;
mod spawn;

pub(crate) use self::{
    node::{Metrics, Node, Setup},
    redis::Redis,
    redis_group::{Kind, RedisGroup},
    spawn::on_cpus,
};
