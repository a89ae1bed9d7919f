//! The dialects clients speak, one folder each: they decode and encode, and nothing else.
//!
//! - [`dialect`]: registers the dialects, in one place
//! - [`relay`]: the plain WebSocket that needs no library

pub mod dialect;
pub mod relay;

pub use relay::{Relay, RelayDecoder};
