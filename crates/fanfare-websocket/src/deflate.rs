//! permessage-deflate (RFC 7692) without context takeover, either way.
//!
//! Each message is compressed and inflated on its own, so no connection keeps zlib state (about 400 KB with context
//! takeover), and a message compressed once is shared by all who negotiated the extension.

mod compressor;
mod inflater;

pub use self::compressor::{Compressor, MIN_COMPRESSED};
pub(crate) use self::inflater::{Inflater, inflate};

/// What a sync flush ends with, cut off by the sender and put back by the receiver (RFC 7692 section 7.2).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// A message of which more bytes than this came in part is inflated as it comes: one that is costly to inflate then
/// costs its time in pieces, between which others get their turn.
pub(crate) const MAX_AT_ONCE: usize = 64 * 1024;

/// A scratch buffer larger than this is given back after the message that needed it.
const MAX_SCRATCH: usize = 64 * 1024;
