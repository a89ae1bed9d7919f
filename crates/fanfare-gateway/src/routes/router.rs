//! Which path is whose, and which methods it takes.
//!
//! Invariants
//! - Under `--dev` a request for a foreign name is refused before anything looks at its path.
//! - A page is answered only to a GET or HEAD that accepts one: nothing else may take a page for a yes.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Path, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any, get, post},
};
use http::{HeaderMap, Method, header::ACCEPT};

use super::{ending, health, page};
use crate::{
    api::{
        cluster, cors,
        error::{self, ApiError},
        publish,
    },
    gateway::Gateway,
    http::{refusal::Refusal, refused::wants_socket},
    path::{self, PathError},
    roles::{Role, Roles},
    websocket::relay,
};

/// All paths of a listener.
pub(crate) fn router(gateway: Arc<Gateway>, roles: Roles) -> Router {
    let ending = middleware::from_fn_with_state(gateway.clone(), ending::answer);
    let admit_page = middleware::from_fn_with_state(gateway.clone(), cors::admit_page);
    let own_host = middleware::from_fn_with_state(gateway.clone(), own_host);
    let mut api = api(&gateway, roles);
    let mut others = health(roles);
    if roles.has(Role::Clients) {
        let no_socket = middleware::from_fn_with_state(gateway.clone(), no_socket);
        api = api.layer(no_socket.clone());
        others = others
            .route("/assets/{name}", only_get(get(asset)))
            .layer(no_socket)
            .route("/ws/{*channel}", any(relay::upgrade_ws))
            .fallback(bare);
    } else {
        others = others.fallback(no_clients);
    }
    // The innermost first: an answer of a node that ends is one to a page too.
    let api = api.layer(ending.clone()).layer(cors::layer()).layer(admit_page);
    api.merge(others.layer(ending)).layer(own_host).with_state(gateway)
}

fn health(roles: Roles) -> Router<Arc<Gateway>> {
    let alive = path::ALIVE.iter().map(|path| (*path, get(health::healthz)));
    let ready = path::READY.iter().map(|path| (*path, get(health::readyz)));
    let metrics = if roles.has(Role::Metrics) { only_get(get(health::metrics)) } else { any(no_metrics) };
    let router = Router::new().route("/metrics", metrics);
    alive.chain(ready).fold(router, |router, (path, health)| router.route(path, only_get(health)))
}

fn api(gateway: &Arc<Gateway>, roles: Roles) -> Router<Arc<Gateway>> {
    let all = |answer: MethodRouter<Arc<Gateway>>| {
        let paths = ["/api", "/api/", "/api/{*rest}"];
        paths.into_iter().fold(Router::new(), |router, path| router.route(path, answer.clone()))
    };
    let calls = if roles.has(Role::Api) {
        all(any(error::no_such_method))
            .route("/api/publish", post(publish::publish).fallback(error::wrong_method))
            .layer(DefaultBodyLimit::max(publish::body_limit(&gateway.hub.settings.limits())))
            .layer(middleware::from_fn_with_state(gateway.clone(), error::authorize))
    } else {
        all(any(error::elsewhere))
    };
    if !(roles.has(Role::Clients) || roles.has(Role::Metrics)) {
        return calls;
    }
    let cluster = get(cluster::cluster).fallback(error::wrong_method);
    calls.route("/api/cluster", cluster.layer(Extension(roles)))
}

/// A path that takes GET and HEAD, and says so to others.
fn only_get(get: MethodRouter<Arc<Gateway>>) -> MethodRouter<Arc<Gateway>> {
    get.fallback(wrong_method)
}

async fn wrong_method() -> Refusal {
    Refusal::Method
}

async fn no_metrics() -> Refusal {
    Refusal::Elsewhere { path: "/metrics".into(), key: "metrics.listen" }
}

async fn no_clients(request: Request) -> Refusal {
    Refusal::Elsewhere { path: request.uri().path().to_owned(), key: "listen" }
}

/// Around all paths: under `--dev` a foreign name that was made to resolve to this machine is refused.
async fn own_host(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let uri = request.uri();
    let target = uri.authority().map(http::uri::Authority::as_str);
    match gateway.config().origins.check_host(request.headers(), target) {
        Ok(()) => next.run(request).await,
        Err(refusal) if uri.path().starts_with("/api/") => ApiError::from(refusal).into_response(),
        Err(refusal) => Refusal::from(refusal).into_response(),
    }
}

/// What the server keeps is no channel, also where it answers to a visit.
async fn no_socket(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if wants_socket(request.headers())
        && let Err(error) = path::bare_channel(request.uri().path())
    {
        return relay::upgrade(&gateway, Err(error), request).await;
    }
    Ok(next.run(request).await)
}

/// A bare path: an upgrade means its channel, a visit the page on it.
async fn bare(State(gateway): State<Arc<Gateway>>, request: Request) -> Result<Response, Refusal> {
    let path = request.uri().path();
    let channel = path::bare_channel(path);
    if wants_socket(request.headers()) {
        return relay::upgrade(&gateway, channel, request).await;
    }
    let is_visit = [Method::GET, Method::HEAD].contains(request.method());
    match (channel, path::near_api(path)) {
        // A page on a channel of such a name is nothing but that.
        (Ok(_), _) if is_visit && accepts_page(request.headers()) => Ok(page::page()),
        (_, Some(right)) => Err(Refusal::NearApi { path: path.to_owned(), right }),
        (Err(PathError::Kept(_)), None) => Err(Refusal::NotFound(path.to_owned())),
        (Err(error), None) if is_visit => Err(error.into()),
        _ if is_visit => Err(Refusal::NotAcceptable),
        _ => Err(Refusal::Method),
    }
}

/// Whether a client takes HTML (RFC 9110 §12.5.1): one that does not say what it takes does.
fn accepts_page(headers: &HeaderMap) -> bool {
    let mut ranges = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|range| !range.trim().is_empty())
        .peekable();
    ranges.peek().is_none() || ranges.any(is_page)
}

fn is_page(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_refused = |parameter: &str| {
        let weight = parameter.strip_prefix("q=").or(parameter.strip_prefix("Q="));
        weight.is_some_and(|weight| weight.trim_end_matches(['0', '.']).is_empty())
    };
    ["text/html", "application/xhtml+xml", "text/*", "*/*"].contains(&kind.as_str()) && !parts.any(is_refused)
}

async fn asset(Path(name): Path<String>, request: Request) -> Response {
    page::asset(&name).unwrap_or_else(|| Refusal::NotFound(request.uri().path().to_owned()).into_response())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_page_is_for_clients_that_take_html() {
        let accepts = |value: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]);
            accepts_page(&headers)
        };
        assert!(accepts_page(&HeaderMap::new()));
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        for value in [browser, "", "*/*", "text/*", "Text/HTML; charset=utf-8", "text/html;q=0.01"] {
            assert!(accepts(value), "{value}");
        }
        for value in ["application/json", "text/event-stream", "image/*", "text/html;q=0", "*/*;q=0.0"] {
            assert!(!accepts(value), "{value}");
        }
    }
}
