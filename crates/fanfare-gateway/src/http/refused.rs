//! Who was refused, and why: counted (`metrics`), and said in one line of the log.
//!
//! Invariant: a line holds no payload, no key and no query. Of what a client sent it has the path, the origin and the
//! channel only, each cut to a length; a sentence that quotes more than these is left out.

use std::borrow::Cow;

use fanfare_core::{Channel, Limit};
use fanfare_websocket::handshake;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri,
    header::{ORIGIN, SEC_WEBSOCKET_KEY},
};
use tracing::field::display;

use crate::{listener::client_address::Client, metrics::Why};

/// How many characters of anything are logged.
const SHOWN: usize = 300;

/// What an answer says of itself to the metrics and to the log: an extension of the response.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) why: Why,
    /// The limit that it came to, if any.
    pub(crate) limit: Option<Limit>,
    /// Of the answer; of a client that is told in a close frame, the one that it would have got.
    pub(crate) status: StatusCode,
    /// What the client is told; `None` where that quotes what it sent.
    pub(crate) detail: Option<Cow<'static, str>>,
    /// The channel, where the path does not say it.
    pub(crate) channel: Option<Channel>,
    /// The code of the close frame that says it.
    pub(crate) close: Option<u16>,
}

/// Whether a request wants a WebSocket, also where a proxy dropped its `Upgrade` header.
pub(crate) fn wants_socket(headers: &HeaderMap) -> bool {
    handshake::is_upgrade(headers) || headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// What is kept of a request until it is answered, so that a refusal can be logged.
pub(crate) struct Asked {
    client: Client,
    method: Method,
    uri: Uri,
    origin: Option<HeaderValue>,
    is_handshake: bool,
}

impl Asked {
    pub(crate) fn of<B>(request: &http::Request<B>, client: Client) -> Self {
        Self {
            client,
            method: request.method().clone(),
            uri: request.uri().clone(),
            origin: request.headers().get(ORIGIN).cloned(),
            is_handshake: wants_socket(request.headers()),
        }
    }

    /// Says that the request was refused. Handshakes and others are logged at two places, so that a flood of one kind
    /// keeps none of the other out of the log.
    pub(crate) fn log(&self, refused: &Refused, channel_of: fn(&str) -> Option<Channel>) {
        let status = refused.status.as_u16();
        let reason = refused.why.name();
        let detail = refused.detail.as_deref().map(cut).map(display);
        let channel = refused.channel.clone().or_else(|| channel_of(self.uri.path())).map(display);
        let origin = self.origin.as_ref().and_then(|origin| origin.to_str().ok()).map(cut).map(display);
        let client = display(self.client.0);
        if self.is_handshake {
            let close_code = refused.close;
            tracing::info!(
                target: "fanfare::refusal",
                status, close_code, reason, detail, channel, origin, client,
                "handshake refused"
            );
        } else {
            let (method, path) = (cut(self.method.as_str()), cut(self.uri.path()));
            tracing::info!(
                target: "fanfare::refusal",
                status, reason, detail, method, path, channel, origin, client,
                "request refused"
            );
        }
    }
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(SHOWN).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_is_cut_at_a_character() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ä".repeat(400)), "ä".repeat(300));
    }
}
