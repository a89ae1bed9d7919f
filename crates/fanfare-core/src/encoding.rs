//! Names for what the bytes of a publication can look like.

/// Names one way a publication's bytes can look: how the dialect encodes it, and how the transport frames it
/// (compression is part of the framing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EncodingKey {
    /// The dialect's encoding.
    pub encoding: EncodingId,
    /// The transport's framing.
    pub framing: FramingId,
}

/// Names an encoding of publications. Registered in one place, in `fanfare-protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EncodingId(pub u8);

/// Names a framing. Registered in one place, in `fanfare-gateway`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FramingId(pub u8);
