//! The server's side of the opening handshake (RFC 6455 section 4.2).

mod extensions;
mod refusal;
mod tokens;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Version};
use sha1::{Digest as _, Sha1};

use self::extensions::Agreement;
pub use self::refusal::Refusal;
use self::refusal::VERSION;

/// Appended to the client's key before hashing (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Forgives set bits in a key's last character that mean nothing: some clients make keys of 22 random characters.
const KEY: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// An upgrade request that was found good, and what to answer: a 101 with [`headers`](Accepted::headers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: HeaderValue,
    /// The subprotocol: the first that the client offered and that is not passed over, a token (visible ASCII).
    pub protocol: Option<HeaderValue>,
    /// Whether permessage-deflate was negotiated: goes into the connection's [`Config`](crate::Config).
    pub deflate: bool,
    /// Whether shared compressed messages may be sent to this client: it negotiated the extension, and its window is
    /// the full one. A client that asked for a smaller one (`server_max_window_bits`) is sent plain messages, as
    /// RFC 7692 section 6 allows, and may compress its own.
    pub send_compressed: bool,
    extensions: Option<HeaderValue>,
}

impl Accepted {
    /// All headers of the 101, `Connection` and `Upgrade` among them.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(5);
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(protocol) = &self.protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol.clone());
        }
        if let Some(extensions) = &self.extensions {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, extensions.clone());
        }
        headers
    }
}

/// What the server agrees to.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Whether permessage-deflate is negotiated where the client offers it in a way that can be met.
    pub deflate: bool,
    /// Which offers are no subprotocols, and never answered with, though they stand among them.
    pub pass_over: fn(&[u8]) -> bool,
}

impl Default for Terms {
    /// No compression; every subprotocol is one.
    fn default() -> Self {
        Self { deflate: false, pass_over: |_| false }
    }
}

/// Whether a request wants a WebSocket rather than a page: its `Upgrade` header names `websocket`.
///
/// It says nothing of whether the request is a good one; that is [`accept`]'s part.
#[must_use]
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

/// Judges an upgrade request, on these terms.
///
/// # Errors
///
/// The request is no proper WebSocket handshake: answer with the refusal's status, headers and sentence.
pub fn accept(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
    terms: Terms,
) -> Result<Accepted, Refusal> {
    if method != Method::GET {
        return Err(Refusal::Method);
    }
    if version < Version::HTTP_11 {
        return Err(Refusal::HttpVersion);
    }
    if !is_upgrade(headers) {
        return Err(Refusal::Upgrade);
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err(Refusal::Connection);
    }
    let key = check_key(headers)?;
    check_version(headers)?;
    let protocol = first_protocol(headers, terms.pass_over)?;
    let agreement = extensions::negotiate(headers, terms.deflate)?;
    Ok(Accepted {
        accept: accept_value(key),
        protocol,
        deflate: agreement.is_some(),
        send_compressed: agreement.is_some_and(Agreement::allows_full_window),
        extensions: agreement.map(|agreement| ascii(agreement.answer())),
    })
}

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (section 4.2.2), for either side to make or check.
#[must_use]
pub fn accept_value(key: &HeaderValue) -> HeaderValue {
    let digest = Sha1::new().chain_update(key.as_bytes().trim_ascii()).chain_update(GUID).finalize();
    ascii(STANDARD.encode(digest))
}

/// A header value of our own making.
fn ascii(value: String) -> HeaderValue {
    #[expect(
        clippy::expect_used,
        reason = "made here of visible ASCII only, which every header value may hold"
    )]
    HeaderValue::try_from(value).expect("visible ASCII is a header value")
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(tokens::elements)
        .any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

fn check_key(headers: &HeaderMap) -> Result<&HeaderValue, Refusal> {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().ok_or(Refusal::KeyMissing)?;
    let mut nonce = [0; 18];
    let decoded = KEY.decode_slice(key.as_bytes().trim_ascii(), &mut nonce);
    if keys.next().is_some() || decoded != Ok(16) {
        return Err(Refusal::Key);
    }
    Ok(key)
}

fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut versions = headers.get_all(SEC_WEBSOCKET_VERSION).iter();
    let version = versions.next().ok_or(Refusal::VersionMissing)?;
    if versions.next().is_some() || version.as_bytes().trim_ascii() != VERSION.as_bytes() {
        return Err(Refusal::Version);
    }
    Ok(())
}

/// The first subprotocol offered that is not passed over; every one offered must be a token (section 4.1, item 10).
fn first_protocol(headers: &HeaderMap, pass_over: fn(&[u8]) -> bool) -> Result<Option<HeaderValue>, Refusal> {
    let offered = || headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().flat_map(tokens::elements);
    if !offered().all(tokens::is_token) {
        return Err(Refusal::Protocol);
    }
    let first = offered().find(|offer| !pass_over(offer));
    first.map(|first| HeaderValue::from_bytes(first).map_err(|_| Refusal::Protocol)).transpose()
}

#[cfg(test)]
mod tests;
