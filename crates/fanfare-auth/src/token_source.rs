//! The places of a request where its token may be.
//!
//! - `Authorization: Bearer TOKEN` (RFC 6750 §2.1)
//! - a cookie
//! - `?token=TOKEN`
//! - a subprotocol, the only header that a page's script can set: `new WebSocket(url, ["fanfare", "token." + jwt])`.
//!   Every character of a JWT may be in a subprotocol. The token is never echoed; the other subprotocol is, since a
//!   browser that offered subprotocols and got none fails the connection.
//!
//! Invariant: a token is never printed, logged or part of an error.

use std::fmt;

use http::{HeaderMap, header};
use percent_encoding::percent_decode;

/// A client's token, not verified yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The text of the token, to be verified.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Finds the token of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSource {
    cookie: String,
}

impl Default for TokenSource {
    fn default() -> Self {
        Self { cookie: "fanfare_token".into() }
    }
}

impl TokenSource {
    /// A source with a cookie of this name.
    ///
    /// # Errors
    /// A cookie cannot have that name.
    pub fn new(cookie: &str) -> Result<Self, CookieNameError> {
        let valid = !cookie.is_empty() && cookie.bytes().all(is_token_character);
        if valid { Ok(Self { cookie: cookie.into() }) } else { Err(CookieNameError) }
    }

    /// The name of the cookie.
    #[must_use]
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// The token of a request with these headers and this query (the part behind the `?`). An empty token is ignored:
    /// it is a deleted cookie, or an unset variable of a script.
    ///
    /// # Errors
    /// The request has two tokens that differ, or a text that cannot be a token.
    pub fn find(&self, headers: &HeaderMap, query: Option<&str>) -> Result<Option<Token>, TokenSourceError> {
        let bearer =
            headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| bearer(value.as_bytes()));
        let cookies =
            headers.get_all(header::COOKIE).iter().flat_map(|value| self.of_cookies(value.as_bytes()));
        let offered = || subprotocols(headers).filter_map(|offer| offer.strip_prefix(SUBPROTOCOL.as_bytes()));
        if offered().next().is_some() && subprotocols(headers).all(is_token) {
            return Err(TokenSourceError::SubprotocolAlone);
        }
        let decoded: Vec<Vec<u8>> = query.into_iter().flat_map(of_query).collect();
        let all = (bearer.map(|token| (token, "Authorization header")))
            .chain(cookies.map(|token| (token, "cookie")))
            .chain(decoded.iter().map(|token| (token.as_slice(), "query")))
            .chain(offered().map(|token| (token, "subprotocol")));
        let mut found = None;
        for (bytes, place) in all.filter(|(bytes, _)| !bytes.is_empty()) {
            let token = read(bytes, place)?;
            if found.get_or_insert_with(|| token.clone()) != &token {
                return Err(TokenSourceError::Several);
            }
        }
        Ok(found)
    }

    /// The values of our cookie in a `Cookie` header (RFC 6265 §4.2.1).
    fn of_cookies<'h>(&self, value: &'h [u8]) -> impl Iterator<Item = &'h [u8]> {
        value.split(|b| *b == b';').filter_map(|pair| {
            let value = pair.trim_ascii().strip_prefix(self.cookie.as_bytes())?.strip_prefix(b"=")?;
            let quoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
            Some(quoted.unwrap_or(value))
        })
    }
}

/// Why the token of a request cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenSourceError {
    /// The request has two tokens that differ.
    #[error("the request carries two different tokens; send one, in one place")]
    Several,
    /// The token has characters that a token cannot have.
    #[error("the token in the {place} has characters that a token cannot have; send it as it was issued")]
    Unreadable {
        /// Its place.
        place: &'static str,
    },
    /// Every subprotocol is a token, so none can be echoed.
    #[error(
        "a token in a subprotocol needs another one beside it, which the server can answer with: offer \
         [\"fanfare\", \"token.…\"]"
    )]
    SubprotocolAlone,
}

/// A text is not the name of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a cookie has letters, digits and any of !#$%&'*+-.^_`|~ only")]
pub struct CookieNameError;

/// The prefix of a subprotocol that is a token.
const SUBPROTOCOL: &str = "token.";

/// Whether an offered subprotocol is a token. An answer never echoes it, also where tokens are not configured.
#[must_use]
pub fn is_token(offer: &[u8]) -> bool {
    offer.starts_with(SUBPROTOCOL.as_bytes())
}

fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offers = values.flat_map(|value| value.as_bytes().split(|b| *b == b','));
    offers.map(<[u8]>::trim_ascii).filter(|offer| !offer.is_empty())
}

/// The token of `Bearer TOKEN`; `None` for other schemes.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn of_query(query: &str) -> impl Iterator<Item = Vec<u8>> {
    let values = query.split('&').filter_map(|pair| pair.strip_prefix("token="));
    values.map(|value| percent_decode(value.as_bytes()).collect())
}

fn read(bytes: &[u8], place: &'static str) -> Result<Token, TokenSourceError> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.bytes().all(|b| b.is_ascii_graphic()) => Ok(Token(text.into())),
        _ => Err(TokenSourceError::Unreadable { place }),
    }
}

/// Whether a token (RFC 9110 §5.6.2), and the name of a cookie (RFC 6265 §4.1.1), may have this character.
fn is_token_character(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests;
