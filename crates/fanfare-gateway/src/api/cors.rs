//! Which pages may call the API, and that their browsers let them see its answers (CORS, as the Fetch standard has it).
//!
//! Invariants
//! - Whether a page may call is judged before anything else, by its origin alone: a call of a page that may not see the
//!   answer does nothing.
//! - A preflight carries no key (the Fetch standard, section 4.8), and is asked for none.
//! - Every answer to a page that may call says so, refusals too: else its browser would tell it "failed" of a message
//!   that was published, and nothing of what was wrong.

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

use super::error::ApiError;
use crate::{gateway::Gateway, trace::TRACEPARENT};

/// How long a browser may remember the answer to a preflight.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Lets a call in that no page makes, or a page that may.
pub(crate) async fn admit_page(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    gateway.config().origins.check_call(request.headers())?;
    Ok(next.run(request).await)
}

/// Answers preflights, and tells browsers that the page may see the answer. Every origin that comes here was let in.
pub(crate) fn layer() -> CorsLayer {
    let key = HeaderName::from_static("x-api-key");
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([key, AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static(TRACEPARENT)])
        .expose_headers([RETRY_AFTER, WWW_AUTHENTICATE])
        .max_age(REMEMBERED)
}
