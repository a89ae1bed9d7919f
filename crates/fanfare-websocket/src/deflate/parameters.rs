//! Constants of the compressor and the inflater.

/// The end of a sync flush: the sender cuts it off, the receiver puts it back (RFC 7692 section 7.2).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// A scratch buffer larger than this is given back after the message that needed it.
pub(super) const MAX_SCRATCH: usize = 64 * 1024;
