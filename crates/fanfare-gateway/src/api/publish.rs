//! `POST /api/publish`.

use std::sync::Arc;

use axum::{
    Json,
    body::{Bytes, HttpBody},
    extract::{DefaultBodyLimit, FromRequest, Request, State},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use fanfare_core::{Channel, Limits, Payload, Position, Publish, Taken, TraceContext};
use http::{HeaderMap, StatusCode, header::CONTENT_ENCODING};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json, value::RawValue};
use tokio::time::timeout;

use super::{access::with_key, error::ApiError};
use crate::{
    gateway::Gateway,
    http::{
        endpoint::{Endpoint, Kind},
        refused::Refused,
    },
    roles::Role,
    trace,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/api/publish"],
    roles: &[Role::Api],
    kind: Kind::Api,
    handler: |listener| {
        let limit = DefaultBodyLimit::max(body_limit(&listener.gateway.hub.settings.limits()));
        let publish = post(publish).fallback(async || ApiError::WrongMethod);
        with_key(listener.gateway, publish.layer(limit))
    },
    elsewhere: None,
};

/// JSON may need six bytes for one (`\u0000`), and the body has a channel beside the data.
const BODY_PER_MESSAGE_BYTE: usize = 6;
const BODY_OVERHEAD: usize = 4 << 10;

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
fn body_limit(limits: &Limits) -> usize {
    limits.message_bytes * BODY_PER_MESSAGE_BYTE + BODY_OVERHEAD
}

/// Reads the body. A body that declares too many bytes is refused before it comes.
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

/// Refuses a body with a content encoding (RFC 9110 §8.4.1): else a compressed body would be taken for broken JSON.
fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_known = |encoding: &[u8]| encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity");
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let mut encodings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    if encodings.all(|encoding| is_known(encoding.trim_ascii())) { Ok(()) } else { Err(ApiError::Encoding) }
}

/// `POST /api/publish`: answered after the broker took it.
async fn publish(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let parent = trace::parent(&gateway.hub, request.headers());
    let (channel, payload) = match read(&gateway, request).await {
        Ok(read) => read,
        Err(error) => return error.into_response(),
    };
    match hand_over(&gateway, channel.clone(), payload, parent).await {
        Ok(taken) => Json(json!({"result": result(taken)})).into_response(),
        Err(error) => {
            let mut response = error.into_response();
            if let Some(refused) = response.extensions_mut().get_mut::<Refused>() {
                refused.channel = Some(channel);
            }
            response
        }
    }
}

/// The message in a request.
async fn read(gateway: &Gateway, request: Request) -> Result<(Channel, Payload), ApiError> {
    check_encoding(request.headers())?;
    let body = read_body(&gateway.hub.settings.limits(), request).await?;
    let request = parse(&body)?;
    let channel = Channel::new(&request.channel)?;
    Ok((channel, payload(request.data, request.b64data)?))
}

async fn hand_over(
    gateway: &Gateway,
    channel: Channel,
    payload: Payload,
    parent: Option<TraceContext>,
) -> Result<Taken, ApiError> {
    let allowed = gateway.hub.settings.message_bytes();
    if payload.len() > allowed {
        return Err(ApiError::TooLarge { found: payload.len(), allowed });
    }
    Ok(gateway.hub.publisher.publish_from_server(Publish::new(channel, payload), parent, false).await?)
}

/// The result of a publish that the broker took: empty on a channel without history.
fn result(taken: Taken) -> Map<String, Value> {
    let mut result = Map::new();
    if let Some(Position { epoch, offset }) = taken.position {
        result.insert("offset".to_owned(), offset.into());
        result.insert("epoch".to_owned(), epoch.to_string().into());
    }
    if taken.duplicate {
        result.insert("duplicate".to_owned(), true.into());
    }
    result
}

fn parse(body: &[u8]) -> Result<PublishRequest<'_>, ApiError> {
    // Serde would take an array too, by the order of the fields.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::Body("it is an array, and must be an object".into()));
    }
    serde_json::from_slice(body).map_err(|error| ApiError::Body(error.to_string()))
}

/// The payload: a JSON string is text of its contents, any other JSON is its bytes as sent, `b64data` is any bytes.
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
            Err(error) => Err(ApiError::Body(format!("b64data is not base64: {error}"))),
        },
        (Some(_), Some(_)) => Err(ApiError::Body("data and b64data exclude each other".into())),
        (None, None) => Err(ApiError::Body("there is neither data nor b64data".into())),
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::PayloadKind;

    use super::*;

    fn taken(body: &str) -> Result<Payload, ApiError> {
        let request = parse(body.as_bytes())?;
        payload(request.data, request.b64data)
    }

    #[test]
    fn data_is_text_json_or_bytes() {
        let is = |body: &str, kind, bytes: &[u8]| {
            let payload = taken(body).unwrap();
            assert_eq!((payload.kind(), &payload.bytes()[..]), (kind, bytes), "{body}");
        };
        is(r#"{"channel":"a","data":"h\u00e4 \"x\""}"#, PayloadKind::Text, "hä \"x\"".as_bytes());
        is(r#"{"channel":"a","data":""}"#, PayloadKind::Text, b"");
        is(r#"{"channel":"a","data": {"b" : 1.0} }"#, PayloadKind::Json, br#"{"b" : 1.0}"#);
        is(r#"{"channel":"a","data":null}"#, PayloadKind::Json, b"null");
        is(r#"{"channel":"a","b64data":"/wA="}"#, PayloadKind::Binary, b"\xff\x00");
    }

    #[test]
    fn a_wrong_body_gets_its_reason() {
        let says = |body: &str, words: &str| {
            let error = taken(body).unwrap_err();
            assert!(error.to_string().contains(words), "{body}: {error}");
            assert!(matches!(error, ApiError::Body(_)), "{body}: {error:?}");
        };
        says(r#"{"channel":"a"}"#, "neither data nor b64data");
        says(r#"{"channel":"a","data":1,"b64data":""}"#, "exclude each other");
        says(r#"{"channel":"a","b64data":"?"}"#, "not base64");
        says(r#"{"channel":"a","dat":1}"#, "unknown field `dat`");
        says(r#"{"data":1}"#, "missing field `channel`");
        says("hello", "line 1");
        says(r#"{"channel":1,"data":1}"#, "expected a string");
        says(r#" ["a","hello",null]"#, "must be an object");
    }

    #[test]
    fn a_result_says_position_and_duplicate() {
        let says = |taken| serde_json::to_string(&result(taken)).unwrap();
        assert_eq!(says(Taken::default()), "{}");
        let position = Some(Position { epoch: fanfare_core::Epoch(0xab), offset: 7 });
        let taken = Taken { position, duplicate: true };
        assert_eq!(says(taken), r#"{"duplicate":true,"epoch":"00000000000000ab","offset":7}"#);
    }

    #[test]
    fn a_body_with_an_encoding_is_refused() {
        let check = |encodings: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for encoding in encodings {
                headers.append(CONTENT_ENCODING, http::HeaderValue::from_static(encoding));
            }
            check_encoding(&headers).is_ok()
        };
        for known in [&[][..], &[""], &["identity"], &["Identity, identity"]] {
            assert!(check(known), "{known:?}");
        }
        for unknown in [&["gzip"][..], &["identity, br"], &["identity", "deflate"]] {
            assert!(!check(unknown), "{unknown:?}");
        }
    }
}
