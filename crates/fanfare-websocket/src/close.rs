//! Close codes (RFC 6455 section 7.4 and the IANA registry "WebSocket Close Code Number"), and the length of a reason.

/// The longest reason that a close frame can carry, in bytes: a control frame's 125 less two for the code.
pub const MAX_REASON: usize = 123;

/// The reason of a close, as a number in a close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: the peer sent data of a kind that the endpoint does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the peer's close frame had no code. Never sent; for reports only.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection ended without a close frame. Never sent; for reports only.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: a message's data did not match its type, as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message broke the endpoint's policy, and no other code fits.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message is larger than the endpoint takes.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client expected an extension that the server did not negotiate.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the server met a condition it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012 (IANA): the service restarts; reconnect after a random delay of 5 to 30 s.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013 (IANA): the service is overloaded or cannot take part now; try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014 (IANA): a gateway got an invalid answer from its upstream.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// A code that may stand in a close frame; `None` for any other number.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        let code = Self(code);
        if code.may_be_received() { Some(code) } else { None }
    }

    /// Whether the code may stand in a close frame: 1000 to 1003, 1007 to 1014, and 3000 to 4999 (section 7.4).
    #[must_use]
    pub const fn may_be_received(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl std::fmt::Display for CloseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The longest start of `reason` that fits a close frame and ends at a character's boundary.
#[must_use]
pub fn fit_reason(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(MAX_REASON)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_valid_codes_are_those_of_the_standards() {
        let valid: Vec<u16> = (0..=u16::MAX).filter(|c| CloseCode::new(*c).is_some()).collect();
        let expected: Vec<u16> = (1000..=1003).chain(1007..=1014).chain(3000..=4999).collect();
        assert_eq!(valid, expected);
    }

    #[test]
    fn a_reason_is_cut_at_a_character_boundary() {
        assert_eq!(fit_reason("bye"), "bye");
        assert_eq!(fit_reason(&"x".repeat(124)).len(), 123);
        // 61 two-byte characters make 122 bytes; the 62nd would need a 124th byte.
        assert_eq!(fit_reason(&"é".repeat(70)), "é".repeat(61));
        assert_eq!(fit_reason(&"x".repeat(123)).len(), 123);
    }
}
