//! What is answered to a request that is not let in: a status, and a sentence that says what was wrong and what to
//! do about it.

use axum::response::{IntoResponse, Response};
use fanfare_auth::{OriginRefusal, TokenSourceError};
use fanfare_core::{AuthError, ChannelError, CloseFrame, CommandError, Limit, SubscribeError};
use fanfare_websocket::{close::MAX_REASON, handshake};
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{refused::Refused, request_check::Improper};
use crate::{
    listener::admission::Full,
    metrics::{Reason, Why},
    path::PathError,
};

/// The first of the close codes that say a status: 4403 is 403.
const CLOSE_CODES: u16 = 4000;

/// Why an upgrade or a visit was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It is not a proper HTTP request.
    #[error(transparent)]
    Improper(#[from] Improper),
    /// It is no WebSocket handshake.
    #[error(transparent)]
    Handshake(#[from] handshake::Refusal),
    /// The page's origin is not allowed.
    #[error(transparent)]
    Origin(#[from] OriginRefusal),
    /// It carries more than one token.
    #[error(transparent)]
    TokenSource(#[from] TokenSourceError),
    /// Its token is not good.
    #[error(transparent)]
    Token(#[from] AuthError),
    /// The path is no channel.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The subscription does not stand.
    #[error(transparent)]
    Subscribe(#[from] CommandError),
    /// There are too many connections.
    #[error(transparent)]
    Full(#[from] Full),
    /// The request has more headers than are read.
    #[error("the request has {found} headers, at most {allowed} are taken (limits.header_count)")]
    Headers {
        /// Its headers.
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
        /// What was asked for.
        path: String,
        /// The key that names those listeners.
        key: &'static str,
    },
    /// There is nothing at this path.
    #[error("there is nothing at {0}: the page is at /, and health at /healthz and /readyz")]
    NotFound(String),
    /// There is nothing at this path, which is nearly one of the API.
    #[error("there is nothing at {path}, and nothing was done; you may mean {right}")]
    NearApi {
        /// What was asked for.
        path: String,
        /// The method and the path that it is near to.
        right: &'static str,
    },
    /// The path takes another HTTP method.
    #[error("this path takes GET and HEAD only; to publish a message, send POST /api/publish")]
    Method,
    /// The client takes no page.
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
            Self::Origin(_)
            | Self::Subscribe(
                CommandError::NotPermitted(_)
                | CommandError::NotGranted(_)
                | CommandError::Subscribe(SubscribeError::Forbidden(_)),
            ) => StatusCode::FORBIDDEN,
            Self::Token(_) | Self::Subscribe(CommandError::NeedsToken(_)) => StatusCode::UNAUTHORIZED,
            Self::Improper(_) | Self::TokenSource(_) | Self::Path(PathError::Name(_)) => {
                StatusCode::BAD_REQUEST
            }
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

    /// What it is counted as.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Improper(_) => Reason::Improper,
            Self::Handshake(_) => Reason::Handshake,
            Self::Origin(_) => Reason::Origin,
            Self::TokenSource(_) | Self::Token(_) => Reason::Token,
            Self::Path(PathError::Kept(_) | PathError::TwoSlashes) => Reason::KeptPath,
            Self::Path(PathError::Name(_)) => Reason::ChannelName,
            Self::Subscribe(CommandError::NeedsToken(_)) => Reason::NeedsToken,
            Self::Subscribe(CommandError::NotPermitted(_) | CommandError::NotGranted(_)) => {
                Reason::NotPermitted
            }
            Self::Subscribe(_) => Reason::Broker,
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

    /// The limit that it is due to, if it is.
    pub(crate) fn limit(&self) -> Option<Limit> {
        match self {
            Self::Full(full) => Some(full.limit()),
            Self::Headers { .. } => Some(Limit::HeaderCount),
            Self::Path(PathError::Name(ChannelError::TooLong(_))) => Some(Limit::ChannelName),
            _ => None,
        }
    }

    /// How it is said to a page, where it is for its origin, its token or its channel: 4000 and the status. Its sentence
    /// fits a close frame.
    pub(crate) fn close_frame(&self) -> Option<CloseFrame> {
        let reason = match self {
            // Said to a page of a foreign name, this would tell it that it found something.
            Self::Origin(OriginRefusal::HostNotLoopback { .. }) => return None,
            Self::Origin(refusal) => refusal.in_short(),
            Self::TokenSource(_) | Self::Token(_) | Self::Path(_) => in_short(self.to_string()).into(),
            Self::Subscribe(_)
                if matches!(self.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) =>
            {
                in_short(self.to_string()).into()
            }
            _ => return None,
        };
        Some(CloseFrame::new(CLOSE_CODES + self.status().as_u16(), reason))
    }

    /// What the metrics and the log are told of it.
    pub(crate) fn refused(&self) -> Refused {
        Refused {
            why: Why::Handshake(self.reason()),
            limit: self.limit(),
            status: self.status(),
            detail: Some(self.to_string().into()),
            channel: None,
            close: None,
        }
    }

    /// How a client shows who it is (RFC 6750 §3), where it may not come in without.
    fn challenge(&self) -> Option<HeaderValue> {
        let challenge = match self {
            Self::Token(_) => "Bearer realm=\"fanfare\", error=\"invalid_token\"",
            _ if self.status() == StatusCode::UNAUTHORIZED => "Bearer realm=\"fanfare\"",
            _ => return None,
        };
        Some(HeaderValue::from_static(challenge))
    }

    /// After how many seconds a retry is worth it, where the status asks for that.
    fn retry_after(&self) -> Option<HeaderValue> {
        match self {
            Self::Subscribe(CommandError::Subscribe(SubscribeError::Misconfigured(_))) => None,
            // Somebody has to leave first.
            Self::Full(Full::Connections(_)) => Some(HeaderValue::from_static("5")),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(HeaderValue::from_static("1")),
            _ => None,
        }
    }
}

/// A sentence that fits a close frame: of a longer one, what is wrong, and not what to do.
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
            // Its place is for others; or what follows may not mean what it seems to.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if matches!(self, Self::Method) {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
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
