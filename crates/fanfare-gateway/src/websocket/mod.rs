//! WebSockets: from an upgrade to a session on its socket.
//!
//! - [`relay`]: the upgrade of the plain WebSocket, which is answered once the broker confirmed the subscription
//! - [`commanded`]: the upgrade of a dialect whose clients connect and subscribe by commands
//! - [`greeting`]: what these have in common
//! - [`past`]: the past that a client asks for in its address
//! - [`upgrade`]: takes the socket back from HTTP, and leaves a task behind that reads it
//! - [`connection`]: that task: bytes to frames, and frames to the session's way in
//! - [`framing`]: how messages become frames; [`socket`]: the sink of a session's bytes

pub(crate) mod commanded;
pub(crate) mod connection;
mod framing;
pub(crate) mod greeting;
pub(crate) mod past;
pub(crate) mod relay;
mod socket;
pub(crate) mod upgrade;
