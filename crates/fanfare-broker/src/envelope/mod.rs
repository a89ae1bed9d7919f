//! The bytes of a publication between nodes. No I/O.
//!
//! ```text
//! C1 FA | version (1) | kind (1) | length of the fields (2) | fields | payload to the end
//! field: tag (1) | length of the value (2) | value
//! ```
//! Numbers are big-endian. No UTF-8 text begins with C1, so no text is mistaken for an envelope.
//!
//! | tag | value |
//! |---|---|
//! | 1 | payload type (1): 0 text, 1 binary, 2 JSON |
//! | 2 | origin: incarnation (8), then the session (8) where a session published it |
//! | 3 | sequence of that incarnation (8) |
//! | 4 | publish time, microseconds since 1970 by the clock of Redis (8), where the origin knows it |
//! | 5 | trace context, where the publish is traced: version 0 (1), trace id (16), span id (8), flags (1) |
//! | 6, 7 | reserved |
//! | 8 | name of the event, UTF-8 |
//! | 9 | tags: length (2) and UTF-8 of each name, then of its value |
//! | 10 | the client that published, joined or left: see `publisher` |
//! | 11 | sequence of that incarnation's last publication on the same channel that Redis had taken by then (8), where it is known |
//! | 12 | the session that does not get it: incarnation (8), session (8) |
//! | 13 | position in the history of its channel: epoch (8), offset (8) |
//!
//! | kind | |
//! |---|---|
//! | 1 | publication: tags 1, 2, 3 are required |
//! | 2, 3 | a client joined, or left: a publication without payload, tags 1, 2, 3 and 10 are required |
//! | 4 | control message from node to node: tag 2 is required; tag 3 where it is sent through several partitions |
//! | 5 | publication with a position: tag 13 is required, and the body is an envelope of kind 1 |
//!
//! Invariants:
//! - Unknown tags are skipped, so fields may be added within a version.
//! - A trace context is not a part of its message: one that is not understood is skipped, and not an error.
//! - Bytes with the magic are an envelope that this node understands as a whole, or an [`EnvelopeError`]: they are
//!   never relayed as a payload.
//!
//! Tags 8 to 10, 12 and 13 and kind 5 belong to version 1 and are always written. No release froze version 1 without them. Nor would a
//! version 2 help: a node that skips tag 12 delivers to the excluded session whether the tag is there or not, while a
//! node that does not read version 2 would drop the publication for all. A field that a publication must not be
//! delivered without needs a new version, which `agreed_version` holds back until every node reads it.
//!
//! - `format`: its numbers; `publisher`: a client as the value of tag 10; `header`: how it is written; `decode`: how it is read

mod decode;
mod format;
mod header;
mod publisher;

pub use decode::{Content, Decoded, EnvelopeError, decode};
pub(crate) use format::MAX_HEADER;
pub use format::{OLDEST, VERSION};
pub use header::{Header, positioned};

#[cfg(test)]
mod tests;
