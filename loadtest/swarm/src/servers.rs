//! Servers that a measurement starts for itself, on loopback.

mod node;
mod redis;
mod spawn;

pub(crate) use self::{
    node::{Metrics, Node, Setup},
    redis::Redis,
    spawn::on_cpus,
};
