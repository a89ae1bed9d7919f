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
    http::{
        endpoint::{Endpoint, Kind},
        query::parameters,
    },
    roles::Role,
};

/// The parameter of the query with a key, for callers that cannot set a header.
const IN_QUERY: &str = "api_key";

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
    // A call that is logged is named by its path alone.
    let in_query = parameters(request.uri().query()).filter(|(name, _)| name == IN_QUERY);
    let in_query: Vec<_> = in_query.map(|(_, key)| key).collect();
    config.api_keys.check(request.headers(), &in_query)?;
    Ok(next.run(request).await)
}
