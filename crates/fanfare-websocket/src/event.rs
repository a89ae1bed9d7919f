//! The events of a decoder.

use bytes::Bytes;

use crate::close_frame::CloseFrame;
use crate::frame::MessageKind;

/// A frame or a message of the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A text message; the bytes are valid UTF-8.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping, to be answered with a pong of the same payload (RFC 6455 section 5.5.2).
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// A frame of a message that is not complete.
    Fragment,
    /// The peer's close frame, to be answered with one unless one was sent (section 5.5.1). The last event.
    Close(Option<CloseFrame>),
}

impl Event {
    pub(crate) fn message(kind: MessageKind, payload: Bytes) -> Self {
        match kind {
            MessageKind::Text => Self::Text(payload),
            MessageKind::Binary => Self::Binary(payload),
        }
    }
}
