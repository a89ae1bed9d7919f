//! The plain WebSocket: from an upgrade to a session on its socket.
//!
//! - [`relay`]: the upgrade, which is answered once the broker confirmed the subscription
//! - [`past`]: the past that a client asks for in its address
//! - [`upgrade`]: takes the socket back from HTTP, and leaves a task behind that reads it
//! - [`connection`]: that task: bytes to frames, and frames to the session's way in
//! - [`framing`]: how messages become frames; [`socket`]: the sink of a session's bytes

pub(crate) mod connection;
mod framing;
mod past;
pub(crate) mod relay;
mod socket;
mod upgrade;
