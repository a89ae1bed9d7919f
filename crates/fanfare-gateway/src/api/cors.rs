//! The pages that may call the API, and see its answers (CORS, by the Fetch standard).
//!
//! Invariants
//! - The origin of a page is judged before anything else, and decides alone: a call of a page that may not see the
//!   answer does nothing.
//! - A preflight needs no key, since it cannot carry one (the Fetch standard, section 4.8).
//! - Every answer to a page that may call says so, refusals too. Else its browser would report "failed" for a message
//!   that was published, and would hide the reason of a refusal.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    HeaderName, Method,
    header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{call::IDEMPOTENCY_KEY, error::ApiError};
use crate::{gateway::Gateway, trace::TRACEPARENT};

/// How long a browser may remember the answer to a preflight.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Refuses the call of a page whose origin is not allowed.
pub(crate) async fn admit_page(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    gateway.config().origins.check_call(request.headers())?;
    Ok(next.run(request).await)
}

/// Answers preflights, and tells browsers that the page may see the answer. Each origin that comes here is allowed.
pub(crate) fn layer() -> CorsLayer {
    let key = HeaderName::from_static("x-api-key");
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            key,
            AUTHORIZATION,
            CONTENT_TYPE,
            IDEMPOTENCY_KEY,
            HeaderName::from_static(TRACEPARENT),
        ])
        .expose_headers([RETRY_AFTER, WWW_AUTHENTICATE])
        .max_age(REMEMBERED)
}
