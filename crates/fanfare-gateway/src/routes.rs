//! Which path is whose.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Path, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use fanfare_websocket::handshake;

use crate::{
    api, cluster, ending,
    gateway::Gateway,
    health, page,
    path::{self, PathError},
    refusal::Refusal,
    relay,
};

/// What a listener serves, beside `/healthz` and `/readyz`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Serves {
    /// WebSockets, the page, and what the page asks for.
    pub clients: bool,
    /// The HTTP API.
    pub api: bool,
    /// `/metrics`.
    pub metrics: bool,
}

impl Serves {
    /// What either serves.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            clients: self.clients || other.clients,
            api: self.api || other.api,
            metrics: self.metrics || other.metrics,
        }
    }
}

/// All paths of a listener.
pub(crate) fn router(gateway: Arc<Gateway>, serves: Serves) -> Router {
    let health = Router::new().route("/healthz", get(health::healthz)).route("/readyz", get(health::readyz));
    let metrics = if serves.metrics { get(health::metrics) } else { any(no_metrics) };
    let mut kept = health.route("/metrics", metrics).nest("/api", api(&gateway, serves));
    if serves.clients || serves.metrics {
        let cluster = get(cluster::cluster).fallback(api::wrong_method);
        kept = kept.route("/api/cluster", cluster.layer(Extension(serves)));
    }
    let all = if serves.clients {
        let page = Router::new().route("/assets/{name}", get(asset));
        Router::new()
            .merge(kept.merge(page).layer(middleware::from_fn(refuse_upgrade)))
            .route("/ws/{*channel}", any(relay::upgrade_ws))
            .fallback(bare)
    } else {
        kept.fallback(no_clients)
    };
    all.layer(middleware::from_fn_with_state(gateway.clone(), ending::answer)).with_state(gateway)
}

fn api(gateway: &Arc<Gateway>, serves: Serves) -> Router<Arc<Gateway>> {
    if !serves.api {
        return Router::new().fallback(api::elsewhere);
    }
    let body_limit = api::body_limit(&gateway.hub.limits());
    Router::new()
        .route("/publish", post(api::publish).fallback(api::wrong_method))
        .fallback(api::no_such_method)
        .layer(DefaultBodyLimit::max(body_limit))
        .layer(middleware::from_fn_with_state(gateway.clone(), api::authorize))
}

async fn no_metrics() -> Refusal {
    Refusal::Elsewhere { path: "/metrics".into(), key: "metrics.listen" }
}

async fn no_clients(request: Request) -> Refusal {
    Refusal::Elsewhere { path: request.uri().path().to_owned(), key: "listen" }
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
        return relay::upgrade(&gateway, channel, request).await;
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
