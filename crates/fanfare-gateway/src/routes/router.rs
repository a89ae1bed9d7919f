//! The paths of a listener.
//!
//! Invariants
//! - Under `--dev` a request for a foreign name is refused before anything looks at its path.
//! - The page answers only a GET or HEAD that accepts it: another client would take it for a success.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use fanfare_core::Channel;
use http::{HeaderMap, Method, Uri, header::ACCEPT};

use super::{
    ending,
    endpoints::{self, is_kept},
    page,
};
use crate::{
    api::{cors, error::ApiError},
    gateway::Gateway,
    http::{
        answering::Routes,
        endpoint::{Kind, Listening},
        refusal::Refusal,
        refused::wants_socket,
    },
    path::{self, PathError},
    roles::{Role, Roles},
    websocket::relay,
};

/// All paths of a listener.
pub(crate) fn routes(gateway: &Arc<Gateway>, roles: Roles) -> Routes {
    let listener = Listening { gateway, roles, kept: &endpoints::kept() };
    Routes { router: router(&listener), channel_of }
}

fn router(listener: &Listening<'_>) -> Router {
    let gateway = listener.gateway;
    let has_clients = listener.roles.has(Role::Clients);
    let no_socket = middleware::from_fn_with_state(gateway.clone(), no_socket);
    let [probes, pages, api] = [Kind::Probe, Kind::Page, Kind::Api].map(|kind| {
        let router = of_kind(kind, listener);
        if has_clients { router.layer(no_socket.clone()) } else { router }
    });
    let others = pages.merge(of_kind(Kind::Socket, listener));
    let others = if has_clients { others.fallback(bare) } else { others.fallback(no_clients) };
    let refuse = middleware::from_fn_with_state(gateway.clone(), ending::refuse);
    let close = middleware::from_fn_with_state(gateway.clone(), ending::close);
    let admit_page = middleware::from_fn_with_state(gateway.clone(), cors::admit_page);
    let own_host = middleware::from_fn_with_state(gateway.clone(), own_host);
    // The innermost first: a page may see the answers of a node that ends, too.
    let api = api.layer(refuse.clone()).layer(close.clone()).layer(cors::layer()).layer(admit_page);
    let others = others.layer(refuse).merge(probes).layer(close);
    api.merge(others).layer(own_host).with_state(gateway.clone())
}

/// The endpoints of one kind that a listener has.
fn of_kind(kind: Kind, listener: &Listening<'_>) -> Router<Arc<Gateway>> {
    let of_kind = endpoints::all().filter(|endpoint| endpoint.kind == kind);
    of_kind.fold(Router::new(), |router, endpoint| {
        let Some(handler) = endpoint.on(listener) else { return router };
        endpoint.paths.iter().fold(router, |router, path| router.route(path, handler.clone()))
    })
}

/// The channel that a client asks for by a path.
fn channel_of(path: &str) -> Option<Channel> {
    let behind_ws = path.strip_prefix("/ws/").map(path::channel);
    behind_ws.unwrap_or_else(|| path::bare_channel(path, is_kept)).ok()
}

async fn no_clients(uri: Uri) -> Refusal {
    Refusal::Elsewhere { path: uri.path().to_owned(), key: Role::Clients.key() }
}

/// Around all paths: under `--dev` a foreign name that resolves to this machine is refused.
async fn own_host(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let uri = request.uri();
    let target = uri.authority().map(http::uri::Authority::as_str);
    match gateway.config().origins.check_host(request.headers(), target) {
        Ok(()) => next.run(request).await,
        Err(refusal) if path::is_of_api(uri.path()) => ApiError::from(refusal).into_response(),
        Err(refusal) => Refusal::from(refusal).into_response(),
    }
}

/// Around paths of the server: an upgrade is refused, also where the path has a page or another answer.
async fn no_socket(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if wants_socket(request.headers())
        && let Err(error) = path::bare_channel(request.uri().path(), is_kept)
    {
        return relay::upgrade(&gateway, Err(error), request).await;
    }
    Ok(next.run(request).await)
}

/// A bare path: an upgrade joins its channel, any other request gets the page on it.
async fn bare(State(gateway): State<Arc<Gateway>>, request: Request) -> Result<Response, Refusal> {
    let path = request.uri().path();
    let channel = path::bare_channel(path, is_kept);
    if wants_socket(request.headers()) {
        return relay::upgrade(&gateway, channel, request).await;
    }
    let is_get = [Method::GET, Method::HEAD].contains(request.method());
    match (channel, path::near_api(path)) {
        // A browser gets the page, also on a channel with such a name.
        (Ok(_), _) if is_get && accepts_page(request.headers()) => Ok(page::page()),
        (_, Some(right)) => Err(Refusal::NearApi { path: path.to_owned(), right }),
        (Err(PathError::Kept(_)), None) => Err(Refusal::NotFound(path.to_owned())),
        (Err(error), None) if is_get => Err(error.into()),
        _ if is_get => Err(Refusal::NotAcceptable),
        _ => Err(Refusal::Method),
    }
}

/// Whether a client takes HTML (RFC 9110 §12.5.1). A client without an `Accept` header takes anything.
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
