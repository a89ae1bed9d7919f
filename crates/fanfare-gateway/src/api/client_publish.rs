//! `POST /publish/{channel}` for clients: a message, by the rights of the channel's namespace. The body is the message.
//!
//! | content type | the message is |
//! |---|---|
//! | `application/json`, `…+json` | JSON; a string in it is text, as for the API |
//! | `text/…` | text |
//! | `application/octet-stream` | bytes |
//! | another, or none | text where the body is UTF-8, else bytes |

use std::sync::Arc;

use axum::{
    Json,
    extract::{DefaultBodyLimit, Request, State},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use fanfare_core::{Channel, Identity, Payload, PayloadKind, Publish};
use http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::value::RawValue;

use super::{
    body,
    call::{about, idempotency_key},
    data,
    error::ApiError,
    methods::message::Published,
};
use crate::{
    gateway::Gateway,
    http::endpoint::{Endpoint, Kind},
    path::{self, PathError},
    rights::{IdentityError, identify, may_publish},
    roles::Role,
    trace,
    websocket::greeting::client,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/publish/{*channel}"],
    roles: &[Role::Clients],
    kind: Kind::Api,
    handler: |listener| {
        let limit = DefaultBodyLimit::max(listener.gateway.hub.settings.message_bytes());
        post(answer).layer(limit).fallback(async || ApiError::WrongMethod)
    },
    elsewhere: None,
};

async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let encoded = request.uri().path().strip_prefix("/publish/").unwrap_or_default();
    let channel = match path::channel(encoded) {
        Ok(channel) => channel,
        Err(PathError::Name(error)) => return ApiError::from(error).into_response(),
        Err(error) => return ApiError::Field(error.to_string()).into_response(),
    };
    match publish(&gateway, &channel, request).await {
        Ok(published) => Json(published).into_response(),
        Err(error) => about(Some(channel), error),
    }
}

/// Publishes for a client with the right.
async fn publish(gateway: &Gateway, channel: &Channel, request: Request) -> Result<Published, ApiError> {
    let (config, hub) = (gateway.config(), &gateway.hub);
    // It counts as a connection while it lasts, and so it is as rare as one.
    let _permit = gateway.admission.admit(client(&request).0, &config.admission)?;
    let identified = identify(config.auth.as_ref(), hub, &request);
    judge(gateway, channel, identified).await?;
    let parent = trace::parent(hub, request.headers());
    let key = idempotency_key(request.headers())?;
    let headers = request.headers().clone();
    let limits = hub.settings.limits();
    let body = body::read(&limits, limits.message_bytes, request).await?;
    let mut publish = Publish::new(channel.clone(), payload(&headers, body)?);
    if let Some(key) = key {
        publish = publish.once(key);
    }
    Ok(Published::of(hub.publisher.publish_from_server(publish, parent, false).await?))
}

/// Checks that the client may publish.
async fn judge(
    gateway: &Gateway,
    channel: &Channel,
    identified: impl Future<Output = Result<Option<Arc<dyn Identity>>, IdentityError>> + Send,
) -> Result<(), ApiError> {
    let identity = identified.await?;
    let namespaces = gateway.hub.settings.namespaces();
    Ok(may_publish(namespaces.of(channel), identity.as_ref(), channel)?)
}

/// The message of a body, by its content type.
fn payload(headers: &HeaderMap, body: Bytes) -> Result<Payload, ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "application/json" || kind.ends_with("+json") {
        let json = serde_json::from_slice::<Box<RawValue>>(&body);
        return json.map_or_else(
            |error| Err(ApiError::Field(format!("the body is not JSON, as its Content-Type says: {error}"))),
            |json| data::payload(Some(json), None),
        );
    }
    if kind.starts_with("text/") {
        let text = Payload::checked(PayloadKind::Text, body);
        let wrong =
            || ApiError::Field("the body is not UTF-8: send bytes as application/octet-stream".into());
        return text.ok_or_else(wrong);
    }
    Ok(if kind == "application/octet-stream" { Payload::binary(body) } else { Payload::guess(body) })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(kind: &'static str, body: &'static [u8]) -> Result<Payload, String> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        payload(&headers, Bytes::from_static(body)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_content_type_says_what_it_is() {
        assert_eq!(of("application/json", b"{\"a\" : 1}"), Ok(Payload::json("{\"a\" : 1}")));
        assert_eq!(of("Application/LD+JSON; charset=utf-8", b"1"), Ok(Payload::json("1")));
        assert_eq!(of("application/json", b"\"hi\""), Ok(Payload::text("hi")));
        assert_eq!(of("text/plain; charset=utf-8", b"1"), Ok(Payload::text("1")));
        assert_eq!(of("application/octet-stream", b"hi"), Ok(Payload::binary("hi")));
        assert_eq!(of("application/x-www-form-urlencoded", b"hi"), Ok(Payload::text("hi")));
        assert_eq!(of("", b"\xff"), Ok(Payload::binary(&b"\xff"[..])));
        assert!(of("application/json", b"{").unwrap_err().contains("is not JSON"));
        assert!(of("text/plain", b"\xff").unwrap_err().contains("is not UTF-8"));
    }
}
