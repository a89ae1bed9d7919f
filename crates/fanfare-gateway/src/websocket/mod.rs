//! The plain WebSocket: from an upgrade to a session on its socket.
//!
//! - [`relay`]: the upgrade, answered once the broker confirmed the subscription
//! - [`upgrade`]: takes the socket back from HTTP, and leaves a task behind that reads it
//! - [`connection`]: that task: bytes to messages to commands
//! - [`rate_limits`]: how much a client may send in a second, where that is limited
//! - [`framing`]: how messages become frames; [`socket`]: where the bytes of a session go

pub(crate) mod connection;
mod framing;
mod rate_limits;
pub(crate) mod relay;
mod socket;
mod upgrade;
