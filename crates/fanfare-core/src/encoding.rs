//! The encodings and framings of publications.

/// How a publication becomes bytes: its encoding by the dialect, and its framing by the transport (compression is part
/// of the framing).
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
