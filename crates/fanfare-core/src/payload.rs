//! The payload of a publication.
//!
//! Invariant: the bytes of a `Text` or `Json` payload are UTF-8. They may go out in a WebSocket text frame without a
//! further check.

use bytes::Bytes;

use crate::Message;

/// The kind of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadKind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
    /// JSON as the publisher sent it, not reformatted.
    Json,
}

/// Bytes and their kind; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    kind: PayloadKind,
    bytes: Bytes,
}

impl Payload {
    /// Any bytes.
    #[must_use]
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self { kind: PayloadKind::Binary, bytes: bytes.into() }
    }

    /// Text that is known to be UTF-8.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: PayloadKind::Text, bytes: Bytes::from(text.into()) }
    }

    /// JSON that is known to be well-formed.
    #[must_use]
    pub fn json(json: impl Into<String>) -> Self {
        Self { kind: PayloadKind::Json, bytes: Bytes::from(json.into()) }
    }

    /// Bytes of the kind given; `None` where the kind needs UTF-8 and the bytes are not.
    #[must_use]
    pub fn checked(kind: PayloadKind, bytes: Bytes) -> Option<Self> {
        match kind {
            PayloadKind::Binary => {}
            PayloadKind::Text | PayloadKind::Json => {
                std::str::from_utf8(&bytes).ok()?;
            }
        }
        Some(Self { kind, bytes })
    }

    /// Text where the bytes are UTF-8, else binary: the kind of a payload without our envelope.
    #[must_use]
    pub fn guess(bytes: Bytes) -> Self {
        let kind = if std::str::from_utf8(&bytes).is_ok() { PayloadKind::Text } else { PayloadKind::Binary };
        Self { kind, bytes }
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> PayloadKind {
        self.kind
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the payload has zero bytes. An empty payload is valid.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Verbatim: text as text, binary as binary.
impl From<Message> for Payload {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(bytes) => Self { kind: PayloadKind::Text, bytes },
            Message::Binary(bytes) => Self { kind: PayloadKind::Binary, bytes },
        }
    }
}
