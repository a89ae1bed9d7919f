//! What a publication looks like between nodes. No I/O.
//!
//! ```text
//! C1 FA | version (1) | kind (1) | length of the fields (2) | fields | payload to the end
//! field: tag (1) | length of the value (2) | value
//! ```
//! Numbers are big-endian. C1 begins no UTF-8 text, so nobody's text is mistaken for an envelope.
//!
//! | tag | value |
//! |---|---|
//! | 1 | payload type (1): 0 text, 1 binary, 2 JSON |
//! | 2 | origin: incarnation (8), then the session (8) where a session published it |
//! | 3 | sequence of that incarnation (8) |
//! | 4 | publish time, microseconds since 1970 by the clock of Redis (8), where the origin knows it |
//! | 5 | trace context, where the publish is traced: version 0 (1), trace id (16), span id (8), flags (1) |
//! | 6–10 | kept: offset, epoch, event name, tags, publisher info |
//! | 11 | sequence of that incarnation's last publication on the same channel that Redis had taken by then (8), where it is known |
//!
//! | kind | |
//! |---|---|
//! | 1 | publication: tags 1, 2, 3 are required |
//! | 2, 3 | kept: join, leave |
//! | 4 | control message from node to node: tag 2 is required |
//!
//! Invariants:
//! - Unknown tags are skipped, so fields may be added within a version.
//! - A trace context is about a message and no part of it: one that is not understood is none, and no error.
//! - Bytes with the magic are an envelope this node understands wholly, or an [`EnvelopeError`]: they are never
//!   relayed as somebody's payload.
//!
//! - `format`: its numbers; `header`: how it is written; `decode`: how it is read

mod decode;
mod format;
mod header;

pub use decode::{Content, Decoded, EnvelopeError, decode};
pub(crate) use format::MAX_HEADER;
pub use format::{OLDEST, VERSION};
pub use header::Header;

#[cfg(test)]
mod tests;
