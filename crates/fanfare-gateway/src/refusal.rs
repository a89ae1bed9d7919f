//! What is answered to a request that is not let in: a status, and a sentence that says what was wrong and what to
//! do about it.

use axum::response::{IntoResponse, Response};
use fanfare_auth::{OriginRefusal, TokenError, TokenSourceError};
use fanfare_core::{CommandError, SubscribeError};
use fanfare_websocket::handshake;
use http::{
    HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::path::PathError;

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
            | Self::Subscribe(CommandError::NotPermitted(_) | CommandError::NotGranted(_)) => {
                StatusCode::FORBIDDEN
            }
            Self::Token(_) | Self::Subscribe(CommandError::NeedsToken(_)) => StatusCode::UNAUTHORIZED,
            Self::TokenSource(_) | Self::Path(PathError::Name(_)) => StatusCode::BAD_REQUEST,
            Self::Path(PathError::Kept(_)) | Self::Elsewhere { .. } | Self::NotFound(_) => {
                StatusCode::NOT_FOUND
            }
            Self::Subscribe(_) | Self::Leaving => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn is_worth_a_retry(&self) -> bool {
        !matches!(self, Self::Subscribe(CommandError::Subscribe(SubscribeError::Forbidden(_))))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, format!("{self}\n")).into_response();
        if let Self::Handshake(refusal) = &self {
            response.headers_mut().extend(refusal.headers());
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE && self.is_worth_a_retry() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
