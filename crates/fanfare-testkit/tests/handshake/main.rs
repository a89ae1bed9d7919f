//! The handshake: refusals, origins, tokens, admission limits, and the client's address.

#![expect(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

mod admission;
mod commanded;
mod dev;
mod jwks;
mod proxies;
mod refusals;
mod tokens;
