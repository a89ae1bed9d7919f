//! The dialects of clients, one folder each: they decode and encode, and nothing else.
//!
//! - [`dialect`], [`encoding`]: register the dialects and their encodings, in one place each
//! - [`relay`]: the plain WebSocket that needs no library
//! - [`centrifugo`]: the client protocol of Centrifugo, which its SDKs speak
//! - [`events`]: plain HTTP without a library: Server-Sent Events, lines of JSON, and polls

pub mod centrifugo;
pub mod dialect;
pub mod encoding;
pub mod events;
pub mod relay;

pub use centrifugo::{
    Centrifugo, CentrifugoDecoder, CentrifugoUnidirectional, CentrifugoUnidirectionalDecoder,
};
pub use events::Events;
pub use relay::{Relay, RelayDecoder};
