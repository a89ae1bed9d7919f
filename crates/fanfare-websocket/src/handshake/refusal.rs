//! Why a handshake was refused, as an HTTP answer.

use http::StatusCode;
use http::header::{ALLOW, CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_VERSION, UPGRADE};

/// The only version of the protocol (section 4.1).
pub(super) const VERSION: &str = "13";

/// Why an upgrade request is refused. The `Display` text has the condition and the remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The method is not GET (section 4.2.1, item 1).
    #[error("a WebSocket handshake is a GET request; send GET")]
    Method,
    /// The request is older than HTTP/1.1 (section 4.2.1, item 1).
    #[error(
        "a WebSocket handshake needs HTTP/1.1; behind nginx, set `proxy_http_version 1.1` and forward the Upgrade \
         and Connection headers"
    )]
    HttpVersion,
    /// `Upgrade: websocket` is missing (item 3).
    #[error(
        "this is a WebSocket address: connect with a WebSocket client; if you did, a proxy dropped the header \
         `Upgrade: websocket`, which it must forward"
    )]
    Upgrade,
    /// `Connection: Upgrade` is missing (item 4).
    #[error(
        "the Connection header must contain `Upgrade`; if the client sent it, a proxy dropped it: have the proxy \
         forward `Connection: Upgrade`"
    )]
    Connection,
    /// `Sec-WebSocket-Key` is missing (item 5).
    #[error("the header Sec-WebSocket-Key is missing; send 16 random bytes in base64")]
    KeyMissing,
    /// `Sec-WebSocket-Key` is not 16 bytes in base64, or was sent more than once (item 5).
    #[error("Sec-WebSocket-Key is wrong; send one, of 16 random bytes in base64 (24 characters)")]
    Key,
    /// `Sec-WebSocket-Version` is missing (item 6).
    #[error("the header Sec-WebSocket-Version is missing; send `Sec-WebSocket-Version: 13`")]
    VersionMissing,
    /// The version is not 13 (section 4.4).
    #[error("this Sec-WebSocket-Version is not supported; send `Sec-WebSocket-Version: 13`")]
    Version,
    /// An offered subprotocol is not a token (section 4.1, item 10).
    #[error(
        "Sec-WebSocket-Protocol is malformed; send names of letters, digits and !#$%&'*+-.^_`|~, with commas between"
    )]
    Protocol,
    /// The extension offers break the grammar of section 9.1.
    #[error(
        "Sec-WebSocket-Extensions is malformed; write it as in `permessage-deflate; client_max_window_bits`"
    )]
    Extensions,
}

impl Refusal {
    /// The status to answer with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::HttpVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Upgrade | Self::VersionMissing | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Connection | Self::KeyMissing | Self::Key | Self::Protocol | Self::Extensions => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    /// The headers that the status asks for: `Allow` with 405 (RFC 9110 section 15.5.6); with 426, `Upgrade`,
    /// `Connection` (RFC 9110 section 15.5.22) and `Sec-WebSocket-Version` (RFC 6455 section 4.4).
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match self.status() {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
            }
            _ => {}
        }
        headers
    }
}
