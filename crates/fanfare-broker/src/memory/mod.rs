//! The broker of a node that is alone.
//!
//! - `broker`: takes and delivers publications
//! - `waiting`: publications that wait for the node
//! - `history`: the histories of channels; `kept`: what they keep
//! - `once`: idempotency keys
//! - `registry`: the list of one node

mod broker;
mod history;
mod kept;
mod once;
mod registry;
mod waiting;

pub(crate) use broker::start;
