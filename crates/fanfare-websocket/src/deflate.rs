//! permessage-deflate (RFC 7692) without context takeover, either way.
//!
//! Each message is compressed and inflated on its own, so no connection keeps zlib state (about 400 KB with context
//! takeover), and a message is compressed once for all connections that negotiated the extension.

mod compressor;
mod inflater;
mod parameters;

pub use self::compressor::{Compressor, MIN_COMPRESSED};
pub(crate) use self::inflater::{Inflater, MAX_AT_ONCE, inflate};
