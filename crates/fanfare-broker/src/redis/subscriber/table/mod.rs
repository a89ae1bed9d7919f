//! Which channels this node is subscribed to: the truth, which Redis is made to follow. No I/O, no clock.
//!
//! - `subscriptions`: the table, and its invariants; `entry`: one channel of it
//! - `commands`: what is to be written, and what is not confirmed yet
//! - `refused`: what Redis refuses, and channels that it forbids
//! - `postponed`: commands that Redis did not take at the moment; `retry`: when they are tried again

pub(super) mod commands;
pub(in crate::redis) mod entry;
mod postponed;
pub(super) mod refused;
mod retry;
pub(in crate::redis) mod subscriptions;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
