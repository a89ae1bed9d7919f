//! The HTTP API for backends: `POST /api/publish`; and `GET /api/cluster` for the page.
//!
//! Answers are `{"result": …}` or `{"error": {"code", "message"}}`, with the fitting HTTP status.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::{Bytes, HttpBody},
    extract::{FromRequest, Request, State, rejection::BytesRejection},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use fanfare_auth::{ApiKeyRefusal, OriginRefusal};
use fanfare_core::{Channel, ChannelError, Limits, Payload, PublishError};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde::{Deserialize, Deserializer};
use serde_json::{json, value::RawValue};
use tokio::time::timeout;

use crate::{
    gateway::Gateway,
    metrics::{ApiCode, Limit, Refused},
    trace,
};

/// JSON may need six bytes for one (`\u0000`); and there is a channel beside the data.
const BODY_PER_MESSAGE_BYTE: usize = 6;
const BODY_OVERHEAD: usize = 4 << 10;

/// Why a call of the API was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No API key, or none that is known.
    #[error(transparent)]
    Key(#[from] ApiKeyRefusal),
    /// A page whose origin is not allowed.
    #[error(transparent)]
    Origin(#[from] OriginRefusal),
    /// The body is not what the method takes.
    #[error("the body is not what /api/publish takes, {{\"channel\", \"data\" or \"b64data\"}}: {0}")]
    Body(String),
    /// The body did not come in time.
    #[error("the body did not come within {} ms (limits.handshake)", .0.as_millis())]
    Slow(Duration),
    /// The body is larger than any message makes it.
    #[error(
        "the body is larger than {allowed} bytes; a message has at most {} (limits.message_bytes)",
        .message
    )]
    BodyTooLarge {
        /// What a body may have.
        allowed: usize,
        /// What a message may have.
        message: usize,
    },
    /// The body could not be read.
    #[error("{0}")]
    Unread(#[from] BytesRejection),
    /// The channel is none.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The payload is larger than a message may be.
    #[error("the data has {found} bytes, a message has at most {allowed} (limits.message_bytes)")]
    TooLarge {
        /// Its bytes.
        found: usize,
        /// The limit.
        allowed: usize,
    },
    /// The broker did not take it, or nobody knows.
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
    /// There is no such method.
    #[error("there is no such method; there are POST /api/publish and GET /api/cluster")]
    NoSuchMethod,
    /// The path is right, and the HTTP method is not.
    #[error("this path takes another HTTP method; there are POST /api/publish and GET /api/cluster")]
    WrongMethod,
}

impl ApiError {
    fn status_and_code(&self) -> (StatusCode, ApiCode) {
        match self {
            Self::Key(_) => (StatusCode::UNAUTHORIZED, ApiCode::Unauthorized),
            Self::Origin(_) => (StatusCode::FORBIDDEN, ApiCode::OriginNotAllowed),
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

    /// The limit that it is due to, if it is.
    fn limit(&self) -> Option<Limit> {
        match self {
            Self::Slow(_) => Some(Limit::Handshake),
            Self::TooLarge { .. } | Self::BodyTooLarge { .. } => Some(Limit::Message),
            Self::Channel(ChannelError::TooLong(_)) => Some(Limit::ChannelName),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let body = json!({"error": {"code": code.name(), "message": self.to_string()}});
        let mut response = (status, Json(body)).into_response();
        response.extensions_mut().insert(Refused::Api(code, self.limit()));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Lets a request in that has a key, and whose page, if it has one, may use the server.
pub(crate) async fn authorize(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let config = gateway.config();
    config.origins.check_call(request.headers())?;
    config.api_keys.check(request.headers())?;
    Ok(next.run(request).await)
}

/// The body of `/api/publish`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishRequest<'a> {
    channel: String,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    b64data: Option<String>,
}

/// `null` is JSON like any other.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The largest body that a message can make.
pub(crate) fn body_limit(limits: &Limits) -> usize {
    limits.message_bytes * BODY_PER_MESSAGE_BYTE + BODY_OVERHEAD
}

/// The body, as far as it may be: one that declares too much is refused before it comes.
async fn read_body(limits: &Limits, request: Request) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::BodyTooLarge { allowed: body_limit(limits), message: limits.message_bytes };
    if request.body().size_hint().lower() > body_limit(limits) as u64 {
        return Err(too_large());
    }
    let read = timeout(limits.handshake, Bytes::from_request(request, &())).await;
    read.map_err(|_| ApiError::Slow(limits.handshake))?.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => rejection.into(),
    })
}

/// `POST /api/publish`: answered after the broker took it.
pub(crate) async fn publish(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
) -> Result<Json<serde_json::Value>, ApiError> {
    let parent = trace::parent(&gateway.hub, request.headers());
    let body = read_body(&gateway.hub.limits(), request).await?;
    let request: PublishRequest<'_> =
        serde_json::from_slice(&body).map_err(|error| ApiError::Body(error.to_string()))?;
    let channel = Channel::new(&request.channel)?;
    let payload = payload(request.data, request.b64data)?;
    let allowed = gateway.hub.message_bytes();
    if payload.len() > allowed {
        return Err(ApiError::TooLarge { found: payload.len(), allowed });
    }
    gateway.hub.publish_from_server(channel, payload, parent).await?;
    Ok(Json(json!({"result": {}})))
}

/// A JSON string is text of its contents; any other JSON is its bytes as sent; `b64data` is any bytes.
fn payload(data: Option<&RawValue>, b64data: Option<String>) -> Result<Payload, ApiError> {
    match (data, b64data) {
        (Some(data), None) if data.get().starts_with('"') => match serde_json::from_str::<String>(data.get())
        {
            Ok(text) => Ok(Payload::text(text)),
            Err(error) => Err(ApiError::Body(error.to_string())),
        },
        (Some(data), None) => Ok(Payload::json(data.get())),
        (None, Some(encoded)) => match STANDARD.decode(encoded) {
            Ok(bytes) => Ok(Payload::binary(bytes)),
            Err(error) => Err(ApiError::Body(format!("b64data is no base64: {error}"))),
        },
        (Some(_), Some(_)) => Err(ApiError::Body("data and b64data exclude each other".into())),
        (None, None) => Err(ApiError::Body("there is neither data nor b64data".into())),
    }
}

/// Any path under `/api/` where it is not served.
pub(crate) async fn elsewhere() -> ApiError {
    ApiError::Elsewhere
}

/// Any other path under `/api/`.
pub(crate) async fn no_such_method() -> ApiError {
    ApiError::NoSuchMethod
}

/// Another HTTP method on a path of the API.
pub(crate) async fn wrong_method() -> ApiError {
    ApiError::WrongMethod
}

#[cfg(test)]
mod tests {
    use fanfare_core::PayloadKind;

    use super::*;

    fn parse(body: &str) -> Result<Payload, ApiError> {
        let request: PublishRequest<'_> =
            serde_json::from_str(body).map_err(|error| ApiError::Body(error.to_string()))?;
        payload(request.data, request.b64data)
    }

    #[test]
    fn data_is_text_json_or_bytes() {
        let is = |body: &str, kind, bytes: &[u8]| {
            let payload = parse(body).unwrap();
            assert_eq!((payload.kind(), &payload.bytes()[..]), (kind, bytes), "{body}");
        };
        is(r#"{"channel":"a","data":"h\u00e4 \"x\""}"#, PayloadKind::Text, "hä \"x\"".as_bytes());
        is(r#"{"channel":"a","data":""}"#, PayloadKind::Text, b"");
        is(r#"{"channel":"a","data": {"b" : 1.0} }"#, PayloadKind::Json, br#"{"b" : 1.0}"#);
        is(r#"{"channel":"a","data":null}"#, PayloadKind::Json, b"null");
        is(r#"{"channel":"a","b64data":"/wA="}"#, PayloadKind::Binary, b"\xff\x00");
    }

    #[test]
    fn a_wrong_body_is_told_what_is_wrong() {
        let says = |body: &str, words: &str| {
            let error = parse(body).unwrap_err();
            assert!(error.to_string().contains(words), "{body}: {error}");
            assert_eq!(error.status_and_code().0, StatusCode::BAD_REQUEST);
        };
        says(r#"{"channel":"a"}"#, "neither data nor b64data");
        says(r#"{"channel":"a","data":1,"b64data":""}"#, "exclude each other");
        says(r#"{"channel":"a","b64data":"?"}"#, "no base64");
        says(r#"{"channel":"a","dat":1}"#, "unknown field `dat`");
        says(r#"{"data":1}"#, "missing field `channel`");
        says("hello", "line 1");
        says(r#"{"channel":1,"data":1}"#, "expected a string");
    }
}
