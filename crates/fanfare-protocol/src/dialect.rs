//! The dialects.

use crate::relay::Relay;

/// The plain WebSocket.
pub static RELAY: Relay = Relay;
