//! The dialect for clients that only listen: bare pushes in JSON, and one message of the client, which connects it.
//!
//! Invariants
//! - The channels are those of the client's token, or of the operator's backend: a client cannot ask for others.
//! - A mistake is not answered: it ends the connection. Codes are those of the [module](super), but a connect that
//!   fails ends with 3005 where the token expired, 3507 where it is not permitted, 3013 where the backend says 111, and
//!   3004 else: after 3507 a client gives up.

use fanfare_core::{
    Answer, CloseFrame, CommandError, Decoder, Dialect, Disconnect, EncodingId, Goodbye, Liveness, Message,
    Ping, Publication, Push, Reply, Request, reply::Connected,
};
use serde::Serialize;

use super::{
    delta::Form,
    disconnects,
    encoding::Encoding,
    errors, replies, requests,
    wire::{ConnectRequest, ConnectResult},
};
use crate::encoding::CENTRIFUGO_BARE_JSON;

/// The dialect; see the head of this file.
#[derive(Debug, Clone, Copy)]
pub struct CentrifugoUnidirectional {
    /// Whether the transport has neither close frames nor pings.
    is_over_http: bool,
}

impl CentrifugoUnidirectional {
    /// Over the answer to an HTTP request.
    #[must_use]
    pub const fn over_http() -> Self {
        Self { is_over_http: true }
    }

    /// Over a WebSocket, with its pings and close frames.
    #[must_use]
    pub const fn over_websocket() -> Self {
        Self { is_over_http: false }
    }

    fn connected(self, connected: &Connected) -> Message {
        let result = replies::connect(connected, Encoding::Json);
        let ping = if self.is_over_http { result.ping } else { 0 };
        message(&Connect { connect: ConnectResult { ping, pong: false, node: String::new(), ..result } })
    }
}

/// The push that says that a client is connected.
#[derive(Serialize)]
struct Connect {
    connect: ConnectResult,
}

impl Dialect for CentrifugoUnidirectional {
    fn name(&self) -> &'static str {
        "centrifugo_unidirectional"
    }

    fn encoding(&self) -> EncodingId {
        CENTRIFUGO_BARE_JSON
    }

    fn publication(&self, publication: &Publication) -> Message {
        message(&replies::bare_publication(publication, Encoding::Json, Form::Plain))
    }

    fn reply(&self, reply: &Reply) -> Answer {
        match reply {
            Reply::Connected(connected) => Answer::Send(self.connected(connected)),
            Reply::Failed { error, .. } => Answer::End(end(error)),
            _ => Answer::Nothing,
        }
    }

    fn names_publisher(&self) -> bool {
        true
    }

    fn liveness(&self) -> Liveness {
        if self.is_over_http { Liveness::AnyWrite } else { Liveness::AnyRead }
    }

    fn ping(&self) -> Ping {
        if self.is_over_http { Ping::Message(Encoding::Json.ping()) } else { Ping::Transport }
    }

    fn push(&self, push: &Push) -> Option<Message> {
        Some(message(&replies::bare_push(push, Encoding::Json)))
    }

    fn goodbye(&self, disconnect: &Disconnect) -> Goodbye {
        match disconnects::close_frame(disconnect) {
            Some(frame) => {
                let push = || message(&replies::bare_disconnect(frame.clone()));
                Goodbye { message: self.is_over_http.then(push), frame: Some(frame) }
            }
            None => Goodbye::default(),
        }
    }
}

/// The end of a client whose connect failed.
fn end(error: &CommandError) -> Disconnect {
    let is_backends = matches!(error, CommandError::Backend(_));
    let said = match errors::error(error) {
        Ok(said) => said,
        Err(disconnect) => return disconnect,
    };
    match said.code {
        errors::TOKEN_EXPIRED | errors::EXPIRED => Disconnect::Expired,
        errors::PERMISSION_DENIED => Disconnect::NotPermitted(said.message.into()),
        errors::TOO_MANY_REQUESTS => {
            Disconnect::ByServer(CloseFrame::new(disconnects::TOO_MANY_REQUESTS, said.message))
        }
        _ if is_backends => Disconnect::ByServer(CloseFrame::new(disconnects::INTERNAL, said.message)),
        _ => Disconnect::Unavailable(said.message.into()),
    }
}

fn message(push: &impl Serialize) -> Message {
    // Nothing in a push fails to be JSON, as in replies.
    Message::Text(serde_json::to_vec(push).unwrap_or_default().into())
}

/// Reads the only message of a client: a connect request, or nothing.
#[derive(Debug, Default)]
pub struct CentrifugoUnidirectionalDecoder {
    has_connect: bool,
}

impl Decoder for CentrifugoUnidirectionalDecoder {
    fn decode(&mut self, message: Message, requests: &mut Vec<Request>) -> Result<(), Disconnect> {
        let wrong = |reason: &'static str| Err(Disconnect::BadRequest(reason.into()));
        if std::mem::replace(&mut self.has_connect, true) {
            return wrong("a client that only listens sends nothing behind its connect request");
        }
        let body = message.bytes().trim_ascii();
        let request = match body {
            [] => Some(ConnectRequest::default()),
            // serde takes arrays for structs too.
            [b'{', ..] => serde_json::from_slice(body).ok(),
            _ => None,
        };
        let Some(request) = request else {
            return wrong("the message is not a connect request: send an object with `token`, or nothing");
        };
        requests.push(Request::Command(requests::connect(0, request)));
        Ok(())
    }
}
