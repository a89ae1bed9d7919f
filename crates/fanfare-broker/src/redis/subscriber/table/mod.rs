//! The channels that this node is subscribed to. Redis is made to follow this table. No I/O, no clock.
//!
//! - `subscriptions`: the table, and its invariants; `entry`: one channel of it
//! - `commands`: the commands that are to be written, or not confirmed yet
//! - `refused`: commands that Redis refuses, and channels that it forbids
//! - `postponed`: commands that Redis does not take at the moment; `retry`: when they are tried again

pub(super) mod commands;
pub(in crate::redis) mod entry;
mod postponed;
pub(super) mod refused;
mod retry;
pub(in crate::redis) mod subscriptions;

#[cfg(test)]
mod tests;
