//! What is answered to a request that is not let in: a status, and a sentence that says what was wrong and what to
//! do about it.

use axum::response::{IntoResponse, Response};
use fanfare_auth::{OriginRefusal, TokenError, TokenSourceError};
use fanfare_core::{ChannelError, CommandError, SubscribeError};
use fanfare_websocket::handshake;
use http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::{
    admission::Full,
    metrics::{Limit, Reason, Refused},
    path::PathError,
};

/// Why an upgrade or a visit was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
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
    Token(#[from] TokenError),
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
    #[error("there is nothing at {0}; see / for what there is")]
    NotFound(String),
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Handshake(refusal) => refusal.status(),
            Self::Origin(_)
            | Self::Subscribe(
                CommandError::NotPermitted(_)
                | CommandError::NotGranted(_)
                | CommandError::Subscribe(SubscribeError::Forbidden(_)),
            ) => StatusCode::FORBIDDEN,
            Self::Token(_) | Self::Subscribe(CommandError::NeedsToken(_)) => StatusCode::UNAUTHORIZED,
            Self::TokenSource(_) | Self::Path(PathError::Name(_)) => StatusCode::BAD_REQUEST,
            Self::Path(PathError::Kept(_)) | Self::Elsewhere { .. } | Self::NotFound(_) => {
                StatusCode::NOT_FOUND
            }
            Self::Full(Full::PerAddress(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Headers { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Subscribe(_) | Self::Full(_) | Self::Leaving => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What it is counted as.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Handshake(_) => Reason::Handshake,
            Self::Origin(_) => Reason::Origin,
            Self::TokenSource(_) | Self::Token(_) => Reason::Token,
            Self::Path(PathError::Kept(_)) => Reason::KeptPath,
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
            Self::NotFound(_) => Reason::NotFound,
        }
    }

    /// The limit that it is due to, if it is.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Full(full) => Some(full.limit()),
            Self::Headers { .. } => Some(Limit::HeaderCount),
            Self::Path(PathError::Name(ChannelError::TooLong(_))) => Some(Limit::ChannelName),
            _ => None,
        }
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

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, format!("{self}\n")).into_response();
        response.extensions_mut().insert(Refused::Handshake(self.reason(), self.limit()));
        if let Self::Handshake(refusal) = &self {
            response.headers_mut().extend(refusal.headers());
        }
        if self.limit().is_some() {
            // Its place is for others.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}
