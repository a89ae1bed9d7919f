//! What is answered while the node ends.
//!
//! Invariants
//! - Health and metrics answer to the last.
//! - While it leaves, all is served as before, but each answer ends its HTTP connection: who asks again comes to a
//!   node that stays.
//! - While it refuses, nothing else begins: 503 with `Retry-After`, and nothing of the request was done.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::CONNECTION};

use crate::{
    api::error::ApiError,
    gateway::Gateway,
    http::refusal::Refusal,
    path::{ALIVE, READY},
};

/// Around all paths.
pub(crate) async fn answer(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let refusal = if gateway.is_refusing() { refusal(request.uri().path()) } else { None };
    let mut response = match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    if gateway.is_leaving() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn refusal(path: &str) -> Option<Response> {
    match path {
        "/metrics" => None,
        path if ALIVE.contains(&path) || READY.contains(&path) => None,
        path if path.starts_with("/api/") => Some(ApiError::Leaving.into_response()),
        _ => Some(Refusal::Leaving.into_response()),
    }
}
