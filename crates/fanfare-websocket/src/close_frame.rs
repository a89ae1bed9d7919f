//! The contents of a close frame.

use bytes::Bytes;

use crate::close::CloseCode;
use crate::error::ProtocolError;

/// The contents of a received close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// The code. It may be sent back.
    pub code: CloseCode,
    /// The reason, at most [`MAX_REASON`](crate::close::MAX_REASON) bytes, often empty.
    pub reason: String,
}

impl CloseFrame {
    /// Reads a close frame's payload; `None` where it is empty (RFC 6455 section 5.5.1).
    pub(crate) fn parse(payload: &Bytes) -> Result<Option<Self>, ProtocolError> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            return if payload.is_empty() { Ok(None) } else { Err(ProtocolError::CloseTooShort) };
        };
        let code = u16::from_be_bytes(*code);
        let code = CloseCode::new(code).ok_or(ProtocolError::CloseCode(code))?;
        let reason = std::str::from_utf8(reason).map_err(|_| ProtocolError::CloseReasonNotUtf8)?;
        Ok(Some(Self { code, reason: reason.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_close_frames_are_refused() {
        let parse = |bytes: &'static [u8]| CloseFrame::parse(&Bytes::from_static(bytes));
        assert_eq!(parse(b""), Ok(None));
        assert_eq!(parse(b"\x03"), Err(ProtocolError::CloseTooShort));
        assert_eq!(parse(b"\x03\xed"), Err(ProtocolError::CloseCode(1005)));
        assert_eq!(parse(b"\x03\xe8\xff"), Err(ProtocolError::CloseReasonNotUtf8));
        let normal = CloseFrame { code: CloseCode::NORMAL, reason: "ok".to_owned() };
        assert_eq!(parse(b"\x03\xe8ok"), Ok(Some(normal)));
    }
}
