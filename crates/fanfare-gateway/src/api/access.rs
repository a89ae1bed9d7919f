//! The key of a call, and the answer to calls that no method takes.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{MethodRouter, any},
};

use super::error::ApiError;
use crate::{
    gateway::Gateway,
    http::endpoint::{Endpoint, Kind},
    roles::Role,
};

/// All paths of the API without a method.
pub(crate) const OTHERS: Endpoint = Endpoint {
    paths: &["/api", "/api/", "/api/{*rest}"],
    roles: &[Role::Api],
    kind: Kind::Api,
    handler: |listener| with_key(listener.gateway, any(async || ApiError::NoSuchMethod)),
    elsewhere: Some(|| any(async || ApiError::Elsewhere)),
};

/// A handler that only calls with a key reach.
pub(crate) fn with_key(
    gateway: &Arc<Gateway>,
    handler: MethodRouter<Arc<Gateway>>,
) -> MethodRouter<Arc<Gateway>> {
    handler.layer(middleware::from_fn_with_state(gateway.clone(), authorize))
}

async fn authorize(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let config = gateway.config();
    config.api_keys.check(request.headers())?;
    Ok(next.run(request).await)
}
