//! Answers while the node ends.
//!
//! Invariants
//! - Health and metrics answer to the last.
//! - While the node leaves, everything is served as before, but each answer ends its HTTP connection: a client that
//!   asks again comes to a node that stays.
//! - While the node refuses, nothing else begins: the answer is 503 with `Retry-After`, and no part of the request is
//!   done.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::CONNECTION};

use crate::{api::error::ApiError, gateway::Gateway, http::refusal::Refusal, path};

/// Around everything: ends the connection of an answer while the node leaves.
pub(crate) async fn close(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if gateway.is_leaving() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Around everything but health and metrics: refuses while the node refuses.
pub(crate) async fn refuse(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    if !gateway.is_refusing() {
        next.run(request).await
    } else if path::is_of_api(request.uri().path()) {
        ApiError::Leaving.into_response()
    } else {
        Refusal::Leaving.into_response()
    }
}
