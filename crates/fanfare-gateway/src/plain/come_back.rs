//! The answer to an `EventSource` that is to try again: 200, a time, and the end. It takes any other status for final.
//!
//! Invariant: each client gets a time of its own, so that those that are sent away together do not come back together.

use std::ops::RangeInclusive;

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE},
};

use crate::http::refusal::Refusal;

/// Milliseconds until the client of an open stream comes back, once it has lost the stream.
const USUAL: RangeInclusive<u32> = 1_000..=3_000;

/// Milliseconds until the client of a node that goes away comes back. Another node takes it.
const LEAVING: RangeInclusive<u32> = 500..=5_000;

/// Milliseconds until a client comes back that a limit keeps out now.
const FULL: RangeInclusive<u32> = 5_000..=20_000;

/// The type of a stream of events.
pub(super) const CONTENT_TYPE_OF_EVENTS: &str = "text/event-stream; charset=utf-8";

/// The first bytes of a stream.
pub(super) fn prelude() -> String {
    format!("retry: {}\n:\n\n", rand::random_range(USUAL))
}

/// The answer for a refusal that will not last, and the refusal where it will.
pub(super) fn answer(refusal: Refusal) -> Result<Response, Refusal> {
    let lasts = !matches!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
    if lasts {
        return Err(refusal);
    }
    let time = match refusal {
        Refusal::Leaving => LEAVING,
        _ => FULL,
    };
    let mut response = format!("retry: {}\n\n", rand::random_range(time)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_OF_EVENTS));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if refusal.limit().is_some() {
        // Other clients need the connection.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.extensions_mut().insert(refusal.refused());
    Ok(response)
}
