//! One message of a transport: a dialect decodes and encodes it.

use bytes::Bytes;

/// A whole message; cheap to clone.
///
/// The bytes of `Text` are UTF-8: a transport checks what it receives, and a dialect makes nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// UTF-8 text.
    Text(Bytes),
    /// Any bytes.
    Binary(Bytes),
}

impl Message {
    /// The bytes, of either kind.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes,
        }
    }
}
