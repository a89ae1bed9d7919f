//! Refusals: counted in the metrics, and each logged in one line.
//!
//! Invariant: a line holds no payload, no key and no query. The only texts of a client in it are the path, the origin
//! and the channel, each cut to a length. A sentence that quotes more than these is left out.

use fanfare_core::{Channel, Limit};
use fanfare_websocket::handshake;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri,
    header::{ORIGIN, SEC_WEBSOCKET_KEY},
};
use tracing::field::display;

use crate::{listener::client_address::Client, metrics::Why};

/// How many characters of each text are logged.
const SHOWN: usize = 300;

/// A refusal, for the metrics and the log: an extension of the response.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) why: Why,
    /// The limit that was reached, if any.
    pub(crate) limit: Option<Limit>,
    /// The status of the answer; with a close frame, the status that the client would have got.
    pub(crate) status: StatusCode,
    /// The sentence for the client, as far as it quotes no payload.
    pub(crate) detail: String,
    /// The channel, where the path does not name it.
    pub(crate) channel: Option<Channel>,
    /// The code of the close frame that tells the client, if one does.
    pub(crate) close: Option<u16>,
}

/// Whether a request wants a WebSocket, also where a proxy dropped its `Upgrade` header.
pub(crate) fn wants_socket(headers: &HeaderMap) -> bool {
    handshake::is_upgrade(headers) || headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// The parts of a request that are kept until its answer, so that a refusal can be logged.
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

    /// Logs that the request was refused. Handshakes and other requests are logged at two places of the program, so
    /// that a flood of one kind does not suppress the other. `channel_of` names the channel of a path.
    pub(crate) fn log(&self, refused: &Refused, channel_of: fn(&str) -> Option<Channel>) {
        let status = refused.status.as_u16();
        let reason = refused.why.name();
        let detail = display(cut(&refused.detail));
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
    fn a_logged_text_is_cut_at_a_character() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ä".repeat(400)), "ä".repeat(300));
    }
}
