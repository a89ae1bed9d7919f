//! `POST /api/rpc`: in Centrifugo a method of the server's own. This server has none, and says so.

use axum::routing::post;

use crate::{
    api::{access::with_key, error::ApiError},
    http::endpoint::{Endpoint, Kind},
    roles::Role,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/api/rpc"],
    roles: &[Role::Api],
    kind: Kind::Api,
    handler: |listener| {
        with_key(listener.gateway, post(async || ApiError::NoCalls)).fallback(async || ApiError::WrongMethod)
    },
    elsewhere: None,
};
