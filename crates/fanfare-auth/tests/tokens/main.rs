//! Client tokens, as an issuer makes them.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by a panic, as the test does")]

mod claims;
mod keys;
mod signatures;
mod subscriptions;
mod support;
