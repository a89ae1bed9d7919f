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

/// Ignores the unused bits of a key's last character: some clients make keys of 22 random characters.
const KEY: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// A good upgrade request. The answer is a 101 with [`headers`](Accepted::headers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: HeaderValue,
    /// The subprotocol: the first offer of the client that is not secret, a token (visible ASCII).
    pub protocol: Option<HeaderValue>,
    /// Whether permessage-deflate was negotiated, for the connection's [`Config`](crate::Config).
    pub deflate: bool,
    /// Whether shared compressed messages may be sent to this client: it negotiated the extension with the full window.
    /// A client that asked for a smaller window (`server_max_window_bits`) gets plain messages, as RFC 7692 section 6
    /// allows, and may compress its own.
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

/// The options of the server.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether permessage-deflate is negotiated, if the client makes an offer that can be met.
    pub deflate: bool,
    /// Whether an offered subprotocol is a secret: it is never the answer.
    pub is_secret: fn(&[u8]) -> bool,
}

impl Default for Options {
    /// No compression, and no secrets.
    fn default() -> Self {
        Self { deflate: false, is_secret: |_| false }
    }
}

/// Whether a request asks for a WebSocket: its `Upgrade` header names `websocket`. [`accept`] checks the request.
#[must_use]
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

/// Checks an upgrade request.
///
/// # Errors
///
/// The request is not a WebSocket handshake: answer with the refusal's status, headers and sentence.
pub fn accept(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
    options: Options,
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
    let protocol = first_protocol(headers, options.is_secret)?;
    let agreement = extensions::negotiate(headers, options.deflate)?;
    Ok(Accepted {
        accept: accept_value(key),
        protocol,
        deflate: agreement.is_some(),
        send_compressed: agreement.is_some_and(Agreement::allows_full_window),
        extensions: agreement.map(|agreement| ascii(agreement.answer())),
    })
}

/// The `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (section 4.2.2). Either side may make it or check it.
#[must_use]
pub fn accept_value(key: &HeaderValue) -> HeaderValue {
    let digest = Sha1::new().chain_update(key.as_bytes().trim_ascii()).chain_update(GUID).finalize();
    ascii(STANDARD.encode(digest))
}

/// A header value that this file made.
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

/// The first offered subprotocol that is not a secret. Every offer must be a token (section 4.1, item 10).
fn first_protocol(headers: &HeaderMap, is_secret: fn(&[u8]) -> bool) -> Result<Option<HeaderValue>, Refusal> {
    let offered = || headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().flat_map(tokens::elements);
    if !offered().all(tokens::is_token) {
        return Err(Refusal::Protocol);
    }
    let first = offered().find(|offer| !is_secret(offer));
    first.map(|first| HeaderValue::from_bytes(first).map_err(|_| Refusal::Protocol)).transpose()
}

#[cfg(test)]
mod tests;
