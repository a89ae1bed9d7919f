//! The broker of a node that is alone.
//!
//! - `broker`: takes and delivers publications
//! - `waiting`: publications that wait for the node
//! - `history`: the histories of channels; `kept`: what they keep
//! - `once`: idempotency keys
//! - `registry`: the list of one node; `presence`: the clients in its channels;
//!   `outbox`: the operator's backend gets from it what waits in `events`; `revocations`: revoked tokens

mod broker;
mod events;
mod history;
mod kept;
mod once;
mod outbox;
mod presence;
mod registry;
mod revocations;
mod waiting;

pub(crate) use broker::start;
