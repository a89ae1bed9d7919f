//! RFC 6455 and RFC 7692 without I/O: bytes in, frames out.
//!
//! The crate reads no socket, spawns no task and keeps no timer. Its caller hands in the bytes that it read, and writes
//! the bytes that it gets back:
//!
//! 1. [`handshake::accept`] checks an upgrade request and gives the headers of the 101.
//! 2. A [`Decoder`] per connection (16 bytes while idle) turns bytes into [`Event`]s.
//! 3. [`encode`] appends frames to a buffer. A server's frames carry no mask, so one encoding serves all receivers.
//!
//! [`close`] names close codes, [`deflate`] holds permessage-deflate, and [`mask`] the masking of clients' frames.

pub mod close;
mod close_frame;
mod config;
mod decode;
pub mod deflate;
pub mod encode;
mod error;
mod event;
mod frame;
pub mod handshake;
pub mod mask;

pub use close::CloseCode;
pub use close_frame::CloseFrame;
pub use config::{Config, Role};
pub use decode::{Decoder, Skipped};
pub use error::ProtocolError;
pub use event::Event;
pub use frame::{FrameHead, MAX_CONTROL_PAYLOAD, MessageKind, Opcode};

#[cfg(test)]
mod tests;
