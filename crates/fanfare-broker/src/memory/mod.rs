//! The broker of a node that is alone.
//!
//! - `broker`: takes and delivers publications
//! - `waiting`: publications that wait for the node
//! - `registry`: the list of one node; `presence`: the clients in its channels

mod broker;
mod presence;
mod registry;
mod waiting;

pub(crate) use broker::start;
