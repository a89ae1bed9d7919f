//! The numbers of the format.

/// The newest version this node reads.
pub const VERSION: u8 = 1;

/// The oldest version there is: every node reads it.
pub const OLDEST: u8 = 1;

/// The beginning of every envelope.
pub(super) const MAGIC: [u8; 2] = [0xC1, 0xFA];
/// Magic, version, kind, length of the fields.
pub(super) const FIXED: usize = 6;

/// The longest header there can be, in bytes.
pub(crate) const MAX_HEADER: usize = FIXED + u16::MAX as usize;

pub(super) const KIND_PUBLICATION: u8 = 1;
/// A publication whose publisher joined the channel.
pub(super) const KIND_JOINED: u8 = 2;
/// A publication whose publisher left the channel.
pub(super) const KIND_LEFT: u8 = 3;
pub(super) const KIND_CONTROL: u8 = 4;
pub(super) const KIND_POSITIONED: u8 = 5;

pub(super) const TAG_PAYLOAD_KIND: u8 = 1;
pub(super) const TAG_ORIGIN: u8 = 2;
pub(super) const TAG_SEQUENCE: u8 = 3;
pub(super) const TAG_TIME: u8 = 4;
pub(super) const TAG_TRACE: u8 = 5;
pub(super) const TAG_EVENT: u8 = 8;
pub(super) const TAG_TAGS: u8 = 9;
pub(super) const TAG_PUBLISHER: u8 = 10;
pub(super) const TAG_PREVIOUS: u8 = 11;
pub(super) const TAG_EXCLUDE: u8 = 12;
pub(super) const TAG_POSITION: u8 = 13;

/// A length in its two bytes. No header comes near the bound: see [`Attributes::MAX_BYTES`](fanfare_core::Attributes::MAX_BYTES).
pub(super) fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}
