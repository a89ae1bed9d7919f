//! The extension offers of a handshake (RFC 6455 section 9.1) and the answer to them (RFC 7692 section 7.1).

use http::header::{HeaderMap, SEC_WEBSOCKET_EXTENSIONS};

use super::refusal::Refusal;
use super::tokens::Cursor;

/// The window of zlib, and the largest of RFC 7692: 2^15 bytes.
const FULL_WINDOW: u8 = 15;

/// An accepted offer of permessage-deflate. Neither side keeps a context between messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreement {
    /// The window that the client asks of the server, as a power of two, if it asks.
    server_max_window_bits: Option<u8>,
}

impl Agreement {
    pub(super) fn allows_full_window(self) -> bool {
        self.server_max_window_bits.is_none_or(|bits| bits == FULL_WINDOW)
    }

    /// The value of the answer's `Sec-WebSocket-Extensions`.
    pub(super) fn answer(self) -> String {
        // The answer may demand client_no_context_takeover unasked (section 7.1.1.2), and must repeat
        // server_max_window_bits if it was asked for (section 7.1.2.1).
        let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        match self.server_max_window_bits {
            None => both.to_owned(),
            Some(bits) => format!("{both}; server_max_window_bits={bits}"),
        }
    }
}

/// The first offer of permessage-deflate that can be met, if `deflate` is on. A malformed header is always refused
/// (section 9.1), so that a request that is good today is good after deflate was turned on.
pub(super) fn negotiate(headers: &HeaderMap, deflate: bool) -> Result<Option<Agreement>, Refusal> {
    let mut agreement = None;
    for value in headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        let mut cursor = Cursor::new(value);
        while !cursor.at_end() {
            if cursor.eat(b',') {
                continue;
            }
            let offer = Offer::parse(&mut cursor).ok_or(Refusal::Extensions)?;
            if !cursor.at_end() && !cursor.eat(b',') {
                return Err(Refusal::Extensions);
            }
            agreement = agreement.or(offer.agreement());
        }
    }
    Ok(agreement.filter(|_| deflate))
}

/// One element of the list, as far as it concerns permessage-deflate.
#[derive(Debug, Default)]
struct Offer {
    /// Whether it is another extension, or has a parameter that declines it: unknown, twice, or with a wrong value.
    declined: bool,
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: bool,
}

impl Offer {
    /// `None` if the grammar is broken.
    fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        let declined = cursor.token()? != b"permessage-deflate";
        let mut offer = Self { declined, ..Self::default() };
        while cursor.eat(b';') {
            let name = cursor.token()?;
            let value = if cursor.eat(b'=') { Some(cursor.value()?) } else { None };
            offer.declined |= offer.parameter(name, value.as_deref()).is_none();
        }
        Some(offer)
    }

    /// `None` if the parameter declines the offer (RFC 7692 section 7.1).
    fn parameter(&mut self, name: &[u8], value: Option<&[u8]>) -> Option<()> {
        let twice = match (name, value) {
            (b"server_no_context_takeover", None) => {
                std::mem::replace(&mut self.server_no_context_takeover, true)
            }
            (b"client_no_context_takeover", None) => {
                std::mem::replace(&mut self.client_no_context_takeover, true)
            }
            (b"server_max_window_bits", Some(bits)) => {
                self.server_max_window_bits.replace(window_bits(bits)?).is_some()
            }
            // The answer leaves the client its full window, whatever it could do with less (section 7.1.2.2).
            (b"client_max_window_bits", bits) => {
                bits.map_or(Some(FULL_WINDOW), window_bits)?;
                std::mem::replace(&mut self.client_max_window_bits, true)
            }
            _ => return None,
        };
        (!twice).then_some(())
    }

    fn agreement(&self) -> Option<Agreement> {
        (!self.declined).then_some(Agreement { server_max_window_bits: self.server_max_window_bits })
    }
}

/// A decimal number from 8 to 15 without leading zeros.
fn window_bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}
