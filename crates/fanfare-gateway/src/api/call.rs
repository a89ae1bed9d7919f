//! The one way from a request to its answer.
//!
//! Invariants
//! - The key is judged first, then the body's encoding and size, then its JSON. A call that is refused for one of them
//!   did nothing.
//! - The answer is `{"result": …}` with 200 (a batch has its replies in its place), or `{"error": …}` with the status of its reason.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};
use fanfare_core::{Channel, Limits, TraceContext};
use http::{HeaderMap, HeaderName};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::{access::with_key, body, error::ApiError};
use crate::{
    gateway::Gateway,
    http::{
        endpoint::{Endpoint, Kind, Listening},
        refused::Refused,
    },
    metrics::ApiReason,
    roles::Role,
    trace,
};

/// The header with the idempotency key of a publish, as the body's field of that name.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("x-idempotency-key");

/// The longest idempotency key, in bytes.
pub(super) const LONGEST_KEY: usize = 256;

/// A method of the API: the body of its request, and how it is carried out.
pub(super) trait Method: DeserializeOwned + ToSchema + Send + 'static {
    /// Its name: the last part of its path.
    const NAME: &'static str;
    /// Its purpose, in a line.
    const SUMMARY: &'static str;
    /// Its fields, for the sentence about a wrong body.
    const TAKES: &'static str;
    /// Why a call can fail, beside the reasons that every call has.
    const REASONS: &'static [ApiReason] = &[];
    /// Whether it takes the header with an idempotency key.
    const TAKES_KEY: bool = false;
    /// Whether the result is the whole answer.
    const IS_BARE: bool = false;
    /// The result of a call.
    type Result: Serialize + ToSchema + Send;

    /// The largest body, in bytes.
    fn body_limit(_limits: &Limits) -> usize {
        body::OTHER_FIELDS
    }

    /// The channel that it is about, for the log.
    fn channel(&self) -> Option<&str> {
        None
    }

    /// Carries out a call.
    fn call(self, call: &Call<'_>) -> impl Future<Output = Result<Self::Result, ApiError>> + Send;
}

/// A call: the node that carries it out, and the headers that matter.
pub(super) struct Call<'a> {
    pub(super) gateway: &'a Gateway,
    /// The caller's span.
    pub(super) parent: Option<TraceContext>,
    /// The idempotency key in a header.
    pub(super) idempotency_key: Option<String>,
}

#[derive(Serialize)]
struct Answered<T> {
    result: T,
}

/// The endpoint of a method.
pub(super) const fn endpoint<M: Method>(paths: &'static [&'static str]) -> Endpoint {
    Endpoint {
        paths,
        roles: &[Role::Api],
        kind: Kind::Api,
        handler: |listener| handler::<M>(listener).fallback(async || ApiError::WrongMethod),
        elsewhere: None,
    }
}

/// The handler of a method: of POST with a key.
pub(super) fn handler<M: Method>(listener: &Listening<'_>) -> MethodRouter<Arc<Gateway>> {
    with_key(listener.gateway, post(answer::<M>))
}

/// The handler of a method whose path has a GET for clients, by the roles of the listener.
pub(super) fn handler_with_clients<M: Method>(
    listener: &Listening<'_>,
    of_clients: fn() -> MethodRouter<Arc<Gateway>>,
) -> MethodRouter<Arc<Gateway>> {
    let both = match (listener.roles.has(Role::Api), listener.roles.has(Role::Clients)) {
        (true, true) => handler::<M>(listener).merge(of_clients()),
        (true, false) => handler::<M>(listener),
        (false, _) => of_clients().post(async || ApiError::Elsewhere),
    };
    both.fallback(async || ApiError::WrongMethod)
}

async fn answer<M: Method>(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (call, method) = match read::<M>(&gateway, request).await {
        Ok(read) => read,
        Err(error) => return error.into_response(),
    };
    let channel = method.channel().and_then(|name| Channel::new(name).ok());
    match method.call(&call).await {
        Ok(result) if M::IS_BARE => Json(result).into_response(),
        Ok(result) => answered(result),
        Err(error) => about(channel, error),
    }
}

/// The answer to a call that was carried out.
pub(super) fn answered<T: Serialize>(result: T) -> Response {
    Json(Answered { result }).into_response()
}

/// The answer to a call that was not, with its channel for the log.
pub(super) fn about(channel: Option<Channel>, error: ApiError) -> Response {
    let mut response = error.into_response();
    if let Some(refused) = response.extensions_mut().get_mut::<Refused>() {
        refused.channel = channel;
    }
    response
}

async fn read<M: Method>(gateway: &Gateway, request: Request) -> Result<(Call<'_>, M), ApiError> {
    let parent = trace::parent(&gateway.hub, request.headers());
    let idempotency_key = idempotency_key(request.headers())?;
    let limits = gateway.hub.settings.limits();
    let body = body::read(&limits, M::body_limit(&limits), request).await?;
    Ok((Call { gateway, parent, idempotency_key }, parse(&body)?))
}

/// The idempotency key of a request, if it has one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let wrong = |words: &str| Err(ApiError::Field(format!("the X-Idempotency-Key {words}")));
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => wrong("was sent more than once"),
        (Some(value), None) => match value.to_str() {
            Ok(key) if !(1..=LONGEST_KEY).contains(&key.len()) => wrong("must have 1 to 256 characters"),
            Ok(key) if key.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(key.to_owned())),
            _ => wrong("has characters other than visible ASCII"),
        },
    }
}

/// The method of a body.
pub(super) fn parse<M: Method>(body: &[u8]) -> Result<M, ApiError> {
    let wrong = |cause: String| ApiError::Body { method: M::NAME, takes: M::TAKES, cause };
    // Serde would take an array too, by the order of the fields.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(wrong("it is an array, and must be an object".into()));
    }
    if body.is_empty() {
        return Err(wrong("it is empty, and must be an object".into()));
    }
    serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_idempotency_key_comes_once() {
        let found = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
            }
            idempotency_key(&headers).map_err(|error| error.to_string())
        };
        assert_eq!(found(&[]), Ok(None));
        assert_eq!(found(&[b"k-1"]), Ok(Some("k-1".to_owned())));
        for wrong in [&b""[..], &[b'x'; 257]] {
            assert!(found(&[wrong]).unwrap_err().contains("1 to 256"));
        }
        assert!(found(&[b"a", b"a"]).unwrap_err().contains("more than once"));
        for wrong in [&b"\xff"[..], b"a b"] {
            assert!(found(&[wrong]).unwrap_err().contains("visible ASCII"));
        }
    }
}
