//! Redis Pub/Sub as the broker: two connections of our own, each owned by one task, and a small pool for the
//! registry.
//!
//! - `start`: makes the parts and gives each what it needs; `broker`: the node's side of them
//! - [`names`]: what channels and keys are called
//! - [`connection`]: one connection, from the URL to what Redis answers on it
//! - `publisher`: the way out
//! - `subscriber`: the way in
//! - `registry`: which nodes there are, and the envelope version that all of them read
//! - `clock`: when something was published, by the one clock that all nodes can ask
//! - `server`: which Redis it is
//! - [`metrics`]: what is counted of it

mod broker;
mod clock;
pub(crate) mod connection;
pub(crate) mod metrics;
pub(crate) mod names;
mod publisher;
mod registry;
mod server;
mod start;
mod subscriber;

pub(crate) use start::start;
