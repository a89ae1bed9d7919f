//! The mistakes of a peer after the handshake.

use crate::close::CloseCode;

/// Why a connection must be failed (RFC 6455 section 7.1.7).
///
/// The `Display` text is one sentence of at most 123 bytes, so that it fits the reason of a close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A client sent a frame without a mask (section 5.1).
    #[error("a client must mask every frame it sends (RFC 6455 section 5.1)")]
    NotMasked,
    /// A server sent a frame with a mask (section 5.1).
    #[error("a server must not mask the frames it sends (RFC 6455 section 5.1)")]
    Masked,
    /// A reserved bit is set that no negotiated extension uses (section 5.2).
    #[error("a reserved bit is set that no negotiated extension uses (RFC 6455 section 5.2)")]
    ReservedBit,
    /// RFC 6455 does not define the opcode (section 5.2).
    #[error("opcode {0:#x} is reserved (RFC 6455 section 5.2)")]
    ReservedOpcode(u8),
    /// A length was written in more bytes than it needs (section 5.2).
    #[error("a frame's length must be written in the fewest bytes (RFC 6455 section 5.2)")]
    LengthNotMinimal,
    /// A 64-bit length has its top bit set (section 5.2).
    #[error("a frame's 64-bit length has its top bit set (RFC 6455 section 5.2)")]
    LengthTopBit,
    /// A control frame has FIN unset (section 5.5).
    #[error("a control frame must not be fragmented (RFC 6455 section 5.5)")]
    ControlFragmented,
    /// A control frame's payload is longer than 125 bytes (section 5.5).
    #[error("a control frame carries at most 125 bytes (RFC 6455 section 5.5)")]
    ControlTooLong,
    /// A continuation frame came with no message in progress (section 5.4).
    #[error("a continuation frame came, but no message was in progress (RFC 6455 section 5.4)")]
    NothingToContinue,
    /// A new message began before the last one was finished (section 5.4).
    #[error("a new message began before the last was finished (RFC 6455 section 5.4)")]
    MessageUnfinished,
    /// A message is larger than [`Config::max_message`](crate::Config::max_message).
    #[error("the message is larger than the limit of {limit} bytes")]
    MessageTooBig {
        /// The limit in bytes.
        limit: usize,
    },
    /// A text message is not UTF-8 (section 8.1).
    #[error("a text message must be valid UTF-8; send other data in binary messages")]
    TextNotUtf8,
    /// A compressed message is not valid DEFLATE data (RFC 7692 section 7.2.2).
    #[error("a compressed message could not be inflated (RFC 7692 section 7.2.2)")]
    Inflate,
    /// A compressed message has too many final blocks (RFC 1951 section 3.2.3): each costs CPU, and carries no data.
    #[error(
        "a compressed message has too many final blocks: end each message with one at most (RFC 7692 section 7.2.1)"
    )]
    FinalBlocks,
    /// A close frame's payload is a single byte (section 5.5.1).
    #[error("a close frame's payload is empty or has at least two bytes (RFC 6455 section 5.5.1)")]
    CloseTooShort,
    /// A close frame carries a code that must not be sent (section 7.4).
    #[error("close code {0} must not be sent (RFC 6455 section 7.4)")]
    CloseCode(u16),
    /// A close frame's reason is not UTF-8 (section 5.5.1).
    #[error("a close frame's reason must be valid UTF-8 (RFC 6455 section 5.5.1)")]
    CloseReasonNotUtf8,
}

impl ProtocolError {
    /// The code to close the connection with.
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::MessageTooBig { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::TextNotUtf8 | Self::CloseReasonNotUtf8 | Self::Inflate | Self::FinalBlocks => {
                CloseCode::INVALID_PAYLOAD
            }
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_fits_a_close_reason() {
        use ProtocolError as E;
        let all = [
            E::NotMasked,
            E::Masked,
            E::ReservedBit,
            E::ReservedOpcode(15),
            E::LengthNotMinimal,
            E::LengthTopBit,
            E::ControlFragmented,
            E::ControlTooLong,
            E::NothingToContinue,
            E::MessageUnfinished,
            E::MessageTooBig { limit: usize::MAX },
            E::TextNotUtf8,
            E::Inflate,
            E::FinalBlocks,
            E::CloseTooShort,
            E::CloseCode(u16::MAX),
            E::CloseReasonNotUtf8,
        ];
        for error in all {
            assert!(error.to_string().len() <= crate::close::MAX_REASON, "{error}");
            assert!(error.close_code().may_be_received());
        }
    }
}
