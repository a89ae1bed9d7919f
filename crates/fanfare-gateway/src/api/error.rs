//! The HTTP API for backends: `publish.rs`, and `GET /api/cluster` for the page: who may call it, and what
//! is said of a call that was not carried out.
//!
//! Answers are `{"result": …}` or `{"error": {"code", "message"}}`, with the fitting HTTP status.

use std::time::Duration;

use axum::{
    Json,
    extract::rejection::BytesRejection,
    response::{IntoResponse, Response},
};
use fanfare_auth::{ApiKeyRefusal, OriginRefusal};
use fanfare_core::{ChannelError, Limit, PublishError};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;

use crate::{
    http::refused::Refused,
    metrics::{ApiCode, Why},
};

/// Why a call of the API was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The API key is missing or unknown.
    #[error(transparent)]
    Key(#[from] ApiKeyRefusal),
    /// The origin of the page is not allowed.
    #[error(transparent)]
    Origin(#[from] OriginRefusal),
    /// The body is not what the method takes.
    #[error("the body is not what /api/publish takes, {{\"channel\", \"data\" or \"b64data\"}}: {0}")]
    Body(String),
    /// The body has a content encoding.
    #[error("the body has a Content-Encoding, which this server does not decode: send the body without")]
    Encoding,
    /// The body did not come in time.
    #[error("the body did not come within {} ms (limits.handshake)", .0.as_millis())]
    Slow(Duration),
    /// The body is larger than that of the largest message.
    #[error(
        "the body is larger than {allowed} bytes; a message has at most {} (limits.message_bytes)",
        .message
    )]
    BodyTooLarge {
        /// The limit of a body, in bytes.
        allowed: usize,
        /// The limit of a message, in bytes.
        message: usize,
    },
    /// The body could not be read.
    #[error("{0}")]
    Unread(#[from] BytesRejection),
    /// The channel name is not valid.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The payload is larger than the limit of a message.
    #[error("the data has {found} bytes, a message has at most {allowed} (limits.message_bytes)")]
    TooLarge {
        /// Its bytes.
        found: usize,
        /// The limit.
        allowed: usize,
    },
    /// The broker did not take the message, or the outcome is unknown.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The node goes away.
    #[error("this node is going away and did nothing: call again, another one will answer")]
    Leaving,
    /// The API has listeners of its own.
    #[error(
        "this listener does not serve the API: it is at the addresses of `api.listen` in the configuration"
    )]
    Elsewhere,
    /// The method does not exist.
    #[error("this method does not exist; there are POST /api/publish and GET /api/cluster")]
    NoSuchMethod,
    /// The path takes another HTTP method.
    #[error("this path takes another HTTP method; there are POST /api/publish and GET /api/cluster")]
    WrongMethod,
}

impl ApiError {
    fn status_and_code(&self) -> (StatusCode, ApiCode) {
        match self {
            Self::Key(_) => (StatusCode::UNAUTHORIZED, ApiCode::Unauthorized),
            Self::Origin(_) => (StatusCode::FORBIDDEN, ApiCode::OriginNotAllowed),
            Self::Encoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, ApiCode::UnsupportedEncoding),
            Self::Slow(_) => (StatusCode::REQUEST_TIMEOUT, ApiCode::TooSlow),
            Self::Body(_) | Self::Channel(_) => (StatusCode::BAD_REQUEST, ApiCode::BadRequest),
            Self::Unread(_) => (StatusCode::BAD_REQUEST, ApiCode::BadRequest),
            Self::TooLarge { .. } | Self::BodyTooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, ApiCode::TooLarge)
            }
            Self::Publish(PublishError::Refused(_)) => (StatusCode::SERVICE_UNAVAILABLE, ApiCode::Refused),
            Self::Publish(PublishError::Forbidden(_)) => (StatusCode::FORBIDDEN, ApiCode::Forbidden),
            Self::Publish(PublishError::Unknown) => (StatusCode::GATEWAY_TIMEOUT, ApiCode::OutcomeUnknown),
            Self::Leaving => (StatusCode::SERVICE_UNAVAILABLE, ApiCode::Leaving),
            Self::Elsewhere => (StatusCode::NOT_FOUND, ApiCode::Elsewhere),
            Self::NoSuchMethod => (StatusCode::NOT_FOUND, ApiCode::NoSuchMethod),
            Self::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, ApiCode::WrongMethod),
        }
    }

    /// The limit that was reached, if any.
    fn limit(&self) -> Option<Limit> {
        match self {
            Self::Slow(_) => Some(Limit::Handshake),
            Self::TooLarge { .. } | Self::BodyTooLarge { .. } => Some(Limit::MessageBytes),
            Self::Channel(ChannelError::TooLong(_)) => Some(Limit::ChannelName),
            _ => None,
        }
    }

    /// The header that the status asks for: how to show a key, how to send a body, when to call again.
    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::Key(_) => Some((WWW_AUTHENTICATE, "ApiKey realm=\"fanfare\"")),
            Self::Encoding => Some((ACCEPT_ENCODING, "identity")),
            Self::Publish(PublishError::Refused(_)) | Self::Leaving => Some((RETRY_AFTER, "1")),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let sentence = self.to_string();
        let body = json!({"error": {"code": code.name(), "message": sentence}});
        let mut response = (status, Json(body)).into_response();
        response.extensions_mut().insert(Refused {
            why: Why::Api(code),
            limit: self.limit(),
            status,
            // The parser may quote the payload.
            detail: (!matches!(self, Self::Body(_))).then(|| sentence.into()),
            channel: None,
            close: None,
        });
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
