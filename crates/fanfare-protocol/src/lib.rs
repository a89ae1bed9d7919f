//! The dialects of clients, one folder each: they decode and encode, and nothing else.
//!
//! - [`dialect`], [`encoding`]: register the dialects and their encodings, in one place each
//! - [`relay`]: the plain WebSocket that needs no library
//! - [`centrifugo`]: the client protocol of Centrifugo, which its SDKs speak

pub mod centrifugo;
pub mod dialect;
pub mod encoding;
pub mod relay;

pub use centrifugo::{
    Centrifugo, CentrifugoDecoder, CentrifugoUnidirectional, CentrifugoUnidirectionalDecoder,
};
pub use relay::{Relay, RelayDecoder};
