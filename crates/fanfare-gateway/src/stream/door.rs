//! The common part of all endpoints of streams: their methods, the pages that may use them, and the bodies of requests.
//!
//! Invariants
//! - The origin of a page is judged first. Every answer to a page that may use the endpoint says so, refusals too.
//! - A body is bounded, in size and in time.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_TYPE,
        ORIGIN, VARY,
    },
};

use crate::{
    gateway::{Encoding, Gateway},
    http::{
        refusal::Refusal,
        stream_error::StreamError,
        taken::{self, Untaken},
    },
};

/// The seconds for which a browser may remember the answer to a preflight.
const REMEMBERED: HeaderValue = HeaderValue::from_static("300");

/// Answers a request by `answer`, where its method is one of `methods`, and its page may use the endpoint.
pub(super) async fn serve(
    gateway: &Gateway,
    methods: &'static str,
    request: Request,
    answer: impl AsyncFnOnce(Request) -> Result<Response, Refusal>,
) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    if let Err(refused) = gateway.config().origins.check(request.headers()) {
        return Refusal::from(refused).into_response();
    }
    let mut response = if request.method() == Method::OPTIONS {
        preflight(methods, request.headers())
    } else if methods.split(", ").any(|method| method == request.method().as_str()) {
        answer(request).await.into_response()
    } else {
        Refusal::from(StreamError::Method(methods)).into_response()
    };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    response
}

fn preflight(methods: &'static str, asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    if let Some(wanted) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    response
}

/// The encoding of a request: by its content type.
pub(super) fn encoding<'c>(config: &'c crate::gateway::Config, headers: &HeaderMap) -> &'c Encoding {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_binary = kind.trim_start().to_ascii_lowercase().starts_with("application/octet-stream");
    let endpoint = &config.commanded;
    let mut encodings = [&endpoint.usual].into_iter().chain(&endpoint.others);
    encodings.find(|encoding| encoding.over_http.is_binary == is_binary).unwrap_or(&endpoint.usual)
}

/// Takes the body of a request, which may have this number of bytes.
///
/// # Errors
/// The body is larger, or does not come in time.
pub(super) async fn take_body(
    gateway: &Gateway,
    request: &mut Request,
    most: usize,
) -> Result<Bytes, StreamError> {
    let patience = gateway.hub.settings.limits().handshake;
    taken::take(request, most, patience).await.map_err(|untaken| match untaken {
        Untaken::TooLarge => StreamError::TooLarge(most),
        Untaken::Slow => StreamError::Slow(patience),
        Untaken::Broken(_) => StreamError::Incomplete,
    })
}
