//! The dialects there are, and the names of their encodings.
//!
//! Invariant: two dialects with one [`EncodingId`] encode every publication to the same bytes.

use fanfare_core::EncodingId;

use crate::relay::Relay;

/// Payloads as they came.
pub const VERBATIM: EncodingId = EncodingId(0);

/// The plain WebSocket.
pub static RELAY: Relay = Relay;
