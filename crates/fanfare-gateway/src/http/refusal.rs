//! The answer to a request that is refused: a status, and a sentence with the condition and the remedy.

use axum::response::{IntoResponse, Response};
use fanfare_auth::OriginRefusal;
use fanfare_core::{ChannelError, CloseFrame, CommandError, Limit, SubscribeError};
use fanfare_websocket::{close::MAX_REASON, handshake};
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{past_error::PastError, refused::Refused, request_check::Improper, stream_error::StreamError};
use crate::{
    listener::admission::Full,
    metrics::{Reason, Why},
    path::PathError,
    rights::IdentityError,
};

/// The first close code that stands for a status: 4403 is 403.
const CLOSE_CODES: u16 = 4000;

/// Why an upgrade or another request of a client was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The request is malformed.
    #[error(transparent)]
    Improper(#[from] Improper),
    /// The request is not a WebSocket handshake.
    #[error(transparent)]
    Handshake(#[from] handshake::Refusal),
    /// The page's origin is not allowed.
    #[error(transparent)]
    Origin(#[from] OriginRefusal),
    /// The token is not good, or there is more than one.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The path is not a channel.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The subscription failed.
    #[error(transparent)]
    Subscribe(#[from] CommandError),
    /// The client does not get the past that it asks for.
    #[error(transparent)]
    Past(#[from] PastError),
    /// The request is not one of a stream.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// A limit of connections is reached.
    #[error(transparent)]
    Full(#[from] Full),
    /// The request has too many headers.
    #[error("the request has {found} headers, at most {allowed} are taken (limits.header_count)")]
    Headers {
        /// The number of its headers.
        found: usize,
        /// The limit.
        allowed: usize,
    },
    /// The node goes away.
    #[error("this node is going away: connect again, another one will take you")]
    Leaving,
    /// Another listener serves this path.
    #[error("this listener does not serve {path}: that is at the addresses of `{key}` in the configuration")]
    Elsewhere {
        /// The path of the request.
        path: String,
        /// The key with the addresses of that listener.
        key: &'static str,
    },
    /// The path does not exist.
    #[error("there is nothing at {0}: the page is at /, and health at /healthz and /readyz")]
    NotFound(String),
    /// The path does not exist, and is nearly one of the API.
    #[error("there is nothing at {path}, and nothing was done; you may mean {right}")]
    NearApi {
        /// The path of the request.
        path: String,
        /// The call that it is near to.
        right: &'static str,
    },
    /// The path takes another HTTP method.
    #[error("this path takes GET and HEAD only; to publish a message, send POST /api/publish")]
    Method,
    /// The client does not accept a page.
    #[error(
        "a channel's path has a page (text/html) and a WebSocket, and this request accepts neither: connect with a \
         WebSocket client, or accept text/html"
    )]
    NotAcceptable,
}

impl Refusal {
    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Handshake(refusal) => refusal.status(),
            Self::Stream(error) => error.status(),
            Self::Origin(_)
            | Self::Subscribe(
                CommandError::NotPermitted(_)
                | CommandError::OtherUsers
                | CommandError::NotGranted(_)
                | CommandError::NeedsSubscription(_)
                | CommandError::Subscribe(SubscribeError::Forbidden(_)),
            ) => StatusCode::FORBIDDEN,
            Self::Identity(IdentityError::Token(_))
            | Self::Subscribe(CommandError::NeedsToken(_) | CommandError::BadToken(_)) => {
                StatusCode::UNAUTHORIZED
            }
            Self::Improper(_)
            | Self::Identity(IdentityError::Source(_))
            | Self::Past(_)
            | Self::Subscribe(CommandError::ImproperName(_))
            | Self::Path(PathError::Name(_)) => StatusCode::BAD_REQUEST,
            Self::Path(PathError::Kept(_) | PathError::TwoSlashes)
            | Self::Elsewhere { .. }
            | Self::NotFound(_)
            | Self::NearApi { .. } => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::Full(Full::PerAddress(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Headers { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Subscribe(_) | Self::Full(_) | Self::Leaving => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The label that it is counted by.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Improper(_) => Reason::Improper,
            Self::Handshake(_) => Reason::Handshake,
            Self::Origin(_) => Reason::Origin,
            Self::Identity(_) => Reason::Token,
            Self::Path(PathError::Kept(_) | PathError::TwoSlashes) => Reason::KeptPath,
            Self::Path(PathError::Name(_)) | Self::Subscribe(CommandError::ImproperName(_)) => {
                Reason::ChannelName
            }
            Self::Subscribe(CommandError::NeedsToken(_) | CommandError::BadToken(_)) => Reason::NeedsToken,
            Self::Subscribe(
                CommandError::NotPermitted(_)
                | CommandError::OtherUsers
                | CommandError::NotGranted(_)
                | CommandError::NeedsSubscription(_),
            ) => Reason::NotPermitted,
            Self::Subscribe(_) => Reason::Broker,
            Self::Past(_) => Reason::Past,
            Self::Stream(StreamError::Method(_)) => Reason::Method,
            Self::Stream(_) => Reason::Stream,
            Self::Full(Full::Connections(_)) => Reason::Connections,
            Self::Full(Full::PerAddress(_)) => Reason::ConnectionsPerAddress,
            Self::Full(Full::PerSecond(_)) => Reason::ConnectionsPerSecond,
            Self::Headers { .. } => Reason::HeaderCount,
            Self::Leaving => Reason::Leaving,
            Self::Elsewhere { .. } => Reason::Elsewhere,
            Self::NotFound(_) | Self::NearApi { .. } => Reason::NotFound,
            Self::Method => Reason::Method,
            Self::NotAcceptable => Reason::NotAcceptable,
        }
    }

    /// The limit that was reached, if any.
    pub(crate) fn limit(&self) -> Option<Limit> {
        match self {
            Self::Full(full) => Some(full.limit()),
            Self::Headers { .. } => Some(Limit::HeaderCount),
            Self::Path(PathError::Name(ChannelError::TooLong(_))) => Some(Limit::ChannelName),
            _ => None,
        }
    }

    /// The close frame for a page that is refused for its origin, its token, its channel or the past it asks for: 4000 and the status. The
    /// sentence fits it.
    pub(crate) fn close_frame(&self) -> Option<CloseFrame> {
        let reason = match self {
            // It would tell a page of a foreign name that a node listens here.
            Self::Origin(OriginRefusal::HostNotLoopback { .. }) => return None,
            Self::Origin(refusal) => refusal.in_short(),
            Self::Identity(_) | Self::Path(_) | Self::Past(_) => in_short(self.to_string()).into(),
            Self::Subscribe(_)
                if matches!(self.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) =>
            {
                in_short(self.to_string()).into()
            }
            _ => return None,
        };
        Some(CloseFrame::new(CLOSE_CODES + self.status().as_u16(), reason))
    }

    /// The refusal for the metrics and the log.
    pub(crate) fn refused(&self) -> Refused {
        Refused {
            why: Why::Handshake(self.reason()),
            limit: self.limit(),
            status: self.status(),
            detail: self.to_string(),
            channel: None,
            close: None,
        }
    }

    /// The challenge of a 401 (RFC 6750 §3).
    fn challenge(&self) -> Option<HeaderValue> {
        let challenge = match self {
            Self::Identity(IdentityError::Token(_)) => "Bearer realm=\"fanfare\", error=\"invalid_token\"",
            _ if self.status() == StatusCode::UNAUTHORIZED => "Bearer realm=\"fanfare\"",
            _ => return None,
        };
        Some(HeaderValue::from_static(challenge))
    }

    /// The methods that the path takes, where the request has another.
    fn methods(&self) -> Option<&'static str> {
        match self {
            Self::Method => Some("GET, HEAD"),
            Self::Stream(StreamError::Method(methods)) => Some(methods),
            _ => None,
        }
    }

    /// The seconds after which a retry may succeed, where the status asks for that.
    fn retry_after(&self) -> Option<HeaderValue> {
        match self {
            Self::Subscribe(CommandError::Subscribe(SubscribeError::Misconfigured(_))) => None,
            // Another client has to leave first.
            Self::Full(Full::Connections(_) | Full::PerAddress(_)) => Some(HeaderValue::from_static("5")),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(HeaderValue::from_static("1")),
            _ => None,
        }
    }
}

/// A sentence that fits a close frame: from a longer one the remedy is cut off.
fn in_short(sentence: String) -> String {
    match sentence.split_once(';') {
        Some((wrong, _)) if sentence.len() > MAX_REASON => wrong.to_owned(),
        _ => sentence,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, format!("{self}\n")).into_response();
        response.extensions_mut().insert(self.refused());
        if let Self::Handshake(refusal) = &self {
            response.headers_mut().extend(refusal.headers());
        }
        if self.limit().is_some() || matches!(self, Self::Improper(_)) {
            // Other clients need the connection; or the bytes behind a malformed request have no meaning.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(methods) = self.methods() {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(challenge) = self.challenge() {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}
