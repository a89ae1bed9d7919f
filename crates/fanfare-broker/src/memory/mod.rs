//! The broker of a node that is alone.
//!
//! - `broker`: takes and delivers publications
//! - `waiting`: publications that wait for the node
//! - `registry`: the list of one node

mod broker;
mod registry;
mod waiting;

pub(crate) use broker::start;
