//! HTTP beside WebSockets: the API, health, listeners, and documented paths.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

mod api;
mod health;
mod listeners;
mod long_answers;
mod methods;
mod paths;
mod plain;
mod polls;
mod streams;
