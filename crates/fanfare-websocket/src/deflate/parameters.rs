//! What the compressor and the inflater share.

/// What a sync flush ends with, cut off by the sender and put back by the receiver (RFC 7692 section 7.2).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// A scratch buffer larger than this is given back after the message that needed it.
pub(super) const MAX_SCRATCH: usize = 64 * 1024;
