//! Publications and subscriptions while Redis, or the way to it, fails.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper of a test fails by a panic, as the test does"
)]

mod support;
mod turns;

mod connections;
mod history;
mod permissions;
mod presence;
mod refusals;
mod silence;
mod split;
