//! Why a call of the API was not carried out, and the answer to it.
//!
//! The answer is `{"error": {"code", "message", "reason"}}` with the HTTP status that fits: `code` is Centrifugo's number,
//! `message` a sentence, `reason` our word.

use std::time::Duration;

use axum::{
    Json,
    extract::rejection::BytesRejection,
    response::{IntoResponse, Response},
};
use fanfare_auth::{ApiKeyRefusal, OriginRefusal};
use fanfare_core::{
    ChannelError, CommandError, Epoch, Limit, PublishError, history::HistoryError, presence::PresenceError,
    revocation::RevocationError,
};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::refused::Refused,
    listener::admission::Full,
    metrics::{ApiReason, Why},
    rights::IdentityError,
};

/// The paths of the API, for a caller that missed them.
pub(super) const PATHS: &str = "POST /api/publish, /api/broadcast, /api/history, /api/history_remove, /api/presence, \
                                /api/presence_stats, /api/connections, /api/channels, /api/subscribe, \
                                /api/unsubscribe, /api/disconnect, /api/refresh, /api/revoke, /api/info, /api/batch and \
                                /publish/{channel}, and GET /api/history, /api/presence, /api/cluster and \
                                /api/openapi.json";

/// Why a call of the API was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The API key is missing or unknown.
    #[error(transparent)]
    Key(#[from] ApiKeyRefusal),
    /// The origin of the page is not allowed.
    #[error(transparent)]
    Origin(#[from] OriginRefusal),
    /// The token of a client is not good.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A client does not have the right.
    #[error(transparent)]
    Right(#[from] CommandError),
    /// A limit of connections is reached.
    #[error(transparent)]
    Full(#[from] Full),
    /// The body is not what the method takes.
    #[error("the body is not what /api/{method} takes, {takes}: {cause}")]
    Body {
        /// The method.
        method: &'static str,
        /// Its fields.
        takes: &'static str,
        /// The mistake.
        cause: String,
    },
    /// A field has a wrong value. The sentence quotes no payload, since it is logged.
    #[error("{0}")]
    Field(String),
    /// The body has a content encoding.
    #[error("the body has a Content-Encoding, which this server does not decode: send the body without")]
    Encoding,
    /// The body did not come in time.
    #[error("the body did not come within {} ms (limits.handshake)", .0.as_millis())]
    Slow(Duration),
    /// The body is larger than the method takes.
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
    /// Event, tags and idempotency key are too large.
    #[error(
        "event, tags and idempotency_key have {found} bytes together, and may have {allowed}: send fewer"
    )]
    Attributes {
        /// Their bytes.
        found: usize,
        /// The limit.
        allowed: usize,
    },
    /// The broker did not take the message, or the outcome is unknown.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The namespace of the channel keeps no publications.
    #[error(
        "channels of this namespace have no history: to keep their messages, set history_size in its [[namespace]]"
    )]
    NoHistory,
    /// The namespace of the channel does not list clients.
    #[error(
        "clients in channels of this namespace are not listed: to list them, set track_presence = true in its \
         [[namespace]]"
    )]
    NoPresence,
    /// The operator's own methods are in the operator's backend.
    #[error(
        "this server has no methods of your own: call your backend; calls of clients go there by `hooks.rpc`"
    )]
    NoCalls,
    /// The history went on under another epoch.
    #[error(
        "the history of this channel began anew, its epoch is {now}: messages may have been lost; load what you need \
         from your backend, and go on from the answer to a call without `since`"
    )]
    AnotherEpoch {
        /// The epoch of today.
        now: Epoch,
    },
    /// The history cannot be read now.
    #[error("{0}: call again")]
    History(#[from] HistoryError),
    /// The clients in a channel cannot be read now.
    #[error("{0}: call again")]
    Presence(#[from] PresenceError),
    /// A token could not be revoked.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// Some nodes did not answer.
    #[error(
        "these nodes did not answer within {seconds} s, and may not have carried out the call: {nodes}; call again. The \
         others carried it out, for {num_clients} clients"
    )]
    SilentNodes {
        /// Their names.
        nodes: String,
        /// How long they were waited for.
        seconds: u64,
        /// The clients of the other nodes.
        num_clients: u64,
    },
    /// The node goes away.
    #[error("this node is going away and did nothing: call again, another one will answer")]
    Leaving,
    /// The API has listeners of its own.
    #[error(
        "this listener does not serve the API: it is at the addresses of `api.listen` in the configuration"
    )]
    Elsewhere,
    /// The method does not exist.
    #[error("this method does not exist; there are {}", PATHS)]
    NoSuchMethod,
    /// The path takes another HTTP method.
    #[error("this path takes another HTTP method; there are {}", PATHS)]
    WrongMethod,
}

/// An error in an answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody {
    /// Centrifugo's number.
    pub(crate) code: u16,
    /// A sentence: what is wrong, and what helps.
    pub(crate) message: String,
    /// A word for it.
    pub(crate) reason: &'static str,
}

#[derive(Serialize, ToSchema)]
struct Failed {
    error: ErrorBody,
}

impl ApiError {
    /// The reason, in a word.
    pub(crate) fn reason(&self) -> ApiReason {
        match self {
            Self::Key(_) | Self::Identity(IdentityError::Token(_)) => ApiReason::Unauthorized,
            Self::Right(CommandError::NeedsToken(_) | CommandError::BadToken(_)) => ApiReason::Unauthorized,
            Self::Right(_) => ApiReason::PermissionDenied,
            Self::Origin(_) => ApiReason::OriginNotAllowed,
            Self::Full(_) => ApiReason::TooMany,
            Self::Encoding => ApiReason::UnsupportedEncoding,
            Self::Slow(_) => ApiReason::TooSlow,
            Self::Body { .. } | Self::Field(_) | Self::Channel(_) | Self::Unread(_) => ApiReason::BadRequest,
            Self::Identity(IdentityError::Source(_)) => ApiReason::BadRequest,
            Self::TooLarge { .. } | Self::BodyTooLarge { .. } | Self::Attributes { .. } => {
                ApiReason::TooLarge
            }
            Self::Publish(PublishError::Refused(_)) => ApiReason::Refused,
            Self::Publish(PublishError::Forbidden(_)) => ApiReason::Forbidden,
            Self::Publish(PublishError::Unknown) => ApiReason::OutcomeUnknown,
            Self::NoHistory | Self::NoPresence | Self::NoCalls => ApiReason::NotAvailable,
            Self::AnotherEpoch { .. } => ApiReason::UnrecoverablePosition,
            Self::History(_) | Self::Presence(_) => ApiReason::Unavailable,
            Self::Revocation(RevocationError::TooMany) => ApiReason::TooLarge,
            Self::Revocation(RevocationError::Unavailable(_)) => ApiReason::Unavailable,
            Self::SilentNodes { .. } => ApiReason::OutcomeUnknown,
            Self::Leaving => ApiReason::Leaving,
            Self::Elsewhere => ApiReason::Elsewhere,
            Self::NoSuchMethod => ApiReason::NoSuchMethod,
            Self::WrongMethod => ApiReason::WrongMethod,
        }
    }

    /// The error for an answer.
    pub(crate) fn told(&self) -> ErrorBody {
        let reason = self.reason();
        ErrorBody { code: number(reason), message: self.to_string(), reason: reason.name() }
    }

    /// The limit that was reached, if any.
    pub(super) fn limit(&self) -> Option<Limit> {
        match self {
            Self::Full(full) => Some(full.limit()),
            Self::Slow(_) => Some(Limit::Handshake),
            Self::TooLarge { .. } | Self::BodyTooLarge { .. } => Some(Limit::MessageBytes),
            Self::Channel(ChannelError::TooLong(_)) => Some(Limit::ChannelName),
            _ => None,
        }
    }

    /// The sentence for the log: without the mistake of a body, which may quote it.
    fn logged(&self) -> String {
        match self {
            Self::Body { method, takes, .. } => format!("the body is not what /api/{method} takes, {takes}"),
            told => told.to_string(),
        }
    }

    /// The header that the status asks for: how to show a key or a token, how to send a body, when to call again.
    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match (self, self.reason()) {
            (Self::Key(_), _) => Some((WWW_AUTHENTICATE, "ApiKey realm=\"fanfare\"")),
            (Self::Identity(_), ApiReason::Unauthorized) => {
                Some((WWW_AUTHENTICATE, "Bearer realm=\"fanfare\", error=\"invalid_token\""))
            }
            (_, ApiReason::Unauthorized) => Some((WWW_AUTHENTICATE, "Bearer realm=\"fanfare\"")),
            (_, ApiReason::UnsupportedEncoding) => Some((ACCEPT_ENCODING, "identity")),
            (_, ApiReason::Refused | ApiReason::Leaving | ApiReason::Unavailable | ApiReason::TooMany) => {
                Some((RETRY_AFTER, "1"))
            }
            _ => None,
        }
    }
}

/// The HTTP status of a reason.
pub(super) fn status(reason: ApiReason) -> StatusCode {
    match reason {
        ApiReason::BadRequest | ApiReason::NotAvailable => StatusCode::BAD_REQUEST,
        ApiReason::Unauthorized => StatusCode::UNAUTHORIZED,
        ApiReason::PermissionDenied | ApiReason::OriginNotAllowed | ApiReason::Forbidden => {
            StatusCode::FORBIDDEN
        }
        ApiReason::Elsewhere | ApiReason::NoSuchMethod => StatusCode::NOT_FOUND,
        ApiReason::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
        ApiReason::TooSlow => StatusCode::REQUEST_TIMEOUT,
        ApiReason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ApiReason::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ApiReason::UnrecoverablePosition => StatusCode::RANGE_NOT_SATISFIABLE,
        ApiReason::TooMany => StatusCode::TOO_MANY_REQUESTS,
        ApiReason::Refused | ApiReason::Leaving | ApiReason::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ApiReason::OutcomeUnknown => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// The number by which Centrifugo's clients know a reason.
pub(super) fn number(reason: ApiReason) -> u16 {
    match reason {
        ApiReason::Refused | ApiReason::OutcomeUnknown | ApiReason::Leaving | ApiReason::Unavailable => 100,
        ApiReason::Unauthorized => 101,
        ApiReason::PermissionDenied | ApiReason::OriginNotAllowed | ApiReason::Forbidden => 103,
        ApiReason::NoSuchMethod | ApiReason::WrongMethod => 104,
        ApiReason::TooLarge => 106,
        ApiReason::BadRequest | ApiReason::UnsupportedEncoding | ApiReason::TooSlow => 107,
        ApiReason::NotAvailable | ApiReason::Elsewhere => 108,
        ApiReason::TooMany => 111,
        ApiReason::UnrecoverablePosition => 112,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (reason, error) = (self.reason(), self.told());
        let status = status(reason);
        let refused = Refused {
            why: Why::Api(reason),
            limit: self.limit(),
            status,
            detail: self.logged(),
            channel: None,
            close: None,
        };
        let mut response = (status, Json(Failed { error })).into_response();
        response.extensions_mut().insert(refused);
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_number_and_word() {
        let error = ApiError::NoHistory;
        let told = serde_json::to_string(&Failed { error: error.told() }).unwrap();
        assert!(
            told.starts_with(r#"{"error":{"code":108,"message":"channels of this namespace have no history"#)
        );
        assert!(told.ends_with(r#","reason":"not_available"}}"#), "{told}");
        assert_eq!(error.into_response().status(), StatusCode::BAD_REQUEST);
        let gone = ApiError::AnotherEpoch { now: Epoch(1) }.into_response();
        assert_eq!(gone.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    }
}
