//! Which path is whose.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use fanfare_websocket::handshake;

use crate::{
    api,
    gateway::Gateway,
    health, page,
    path::{self, PathError},
    refusal::Refusal,
    relay,
};

/// All paths of a node.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    let body_limit = api::body_limit(gateway.hub.limits());
    let api = Router::new()
        .route("/publish", post(api::publish).fallback(api::wrong_method))
        .fallback(api::no_such_method)
        .layer(DefaultBodyLimit::max(body_limit))
        .layer(middleware::from_fn_with_state(gateway.clone(), api::authorize));
    let kept = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/assets/{name}", get(asset))
        .route("/api/cluster", get(api::cluster).fallback(api::wrong_method))
        .nest("/api", api)
        .layer(middleware::from_fn(refuse_upgrade));
    Router::new()
        .merge(kept)
        .route("/ws/{*channel}", any(relay::upgrade_ws))
        .fallback(bare)
        .with_state(gateway)
}

/// What the server keeps is no channel, also where it answers to a visit.
async fn refuse_upgrade(request: Request, next: Next) -> Result<Response, Refusal> {
    if handshake::is_upgrade(request.headers()) {
        path::bare_channel(request.uri().path())?;
    }
    Ok(next.run(request).await)
}

/// A bare path: an upgrade means its channel, a visit the page on it.
async fn bare(State(gateway): State<Arc<Gateway>>, request: Request) -> Result<Response, Refusal> {
    let channel = path::bare_channel(request.uri().path());
    if handshake::is_upgrade(request.headers()) {
        return relay::upgrade(&gateway, channel?, request).await;
    }
    match channel {
        Ok(_) => Ok(page::page()),
        Err(PathError::Kept(_)) => Err(Refusal::NotFound(request.uri().path().to_owned())),
        Err(error) => Err(error.into()),
    }
}

async fn asset(Path(name): Path<String>, request: Request) -> Response {
    page::asset(&name).unwrap_or_else(|| Refusal::NotFound(request.uri().path().to_owned()).into_response())
}
