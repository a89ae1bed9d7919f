//! The built-in page: embedded in the binary, without a build step and without requests to other hosts.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{
    HeaderName, HeaderValue, StatusCode, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use crate::{
    http::{
        endpoint::{Endpoint, Kind, only_get},
        refusal::Refusal,
    },
    path,
    roles::Role,
};

/// The files that the page needs.
pub(crate) const ASSETS: Endpoint = Endpoint {
    paths: &["/assets/{name}"],
    roles: &[Role::Clients],
    kind: Kind::Page,
    handler: |listener| {
        let paths: Arc<str> = paths(listener.kept).into();
        only_get(async move |Path(name): Path<String>, uri: Uri| {
            asset(&name, &paths).unwrap_or_else(|| Refusal::NotFound(uri.path().to_owned()).into_response())
        })
    },
    elsewhere: None,
};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self' ws: wss:; \
                      img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The page, the same for every channel: it reads the channel from its own address.
pub(crate) fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("../../assets/index.html"))
}

/// One file of the page.
fn asset(name: &str, paths: &str) -> Option<Response> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    Some(match name {
        "page.css" => file("text/css; charset=utf-8", include_str!("../../assets/page.css")),
        "page.js" => file(SCRIPT, include_str!("../../assets/page.js")),
        "paths.js" => file(SCRIPT, paths.to_owned()),
        "cluster.js" => file(SCRIPT, include_str!("../../assets/cluster.js")),
        "dom.js" => file(SCRIPT, include_str!("../../assets/dom.js")),
        "past.js" => file(SCRIPT, include_str!("../../assets/past.js")),
        "present.js" => file(SCRIPT, include_str!("../../assets/present.js")),
        "link.js" => for_every_page(file(SCRIPT, include_str!("../../assets/link.js"))),
        "state.js" => file(SCRIPT, include_str!("../../assets/state.js")),
        "icon.svg" => file("image/svg+xml", include_str!("../../assets/icon.svg")),
        _ => return None,
    })
}

/// A script with the names of paths that the page needs.
fn paths(kept: &[&str]) -> String {
    format!("export const LOBBY = {:?};\nexport const KEPT_PATHS = {kept:?};\n", path::LOBBY)
}

/// The package of clients/js: a page of another origin may import it.
fn for_every_page(mut response: Response) -> Response {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

fn file(kind: &'static str, body: impl Into<Body>) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // The page of the next release must not run with the scripts of this one.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (StatusCode::OK, headers, body.into()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_paths_are_a_script() {
        let names = ["api", ".well-known"];
        let script = paths(&names);
        let (lobby, kept) = script.split_once('\n').unwrap();
        assert_eq!(lobby, r#"export const LOBBY = "lobby";"#);
        let list =
            kept.trim().strip_prefix("export const KEPT_PATHS = ").and_then(|rest| rest.strip_suffix(';'));
        assert_eq!(serde_json::from_str::<Vec<String>>(list.unwrap()).unwrap(), names);
    }

    #[test]
    fn other_origins_may_import_the_link_alone() {
        let allowed = |name| asset(name, "").unwrap().headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned();
        assert_eq!(allowed("link.js").unwrap(), "*");
        assert_eq!(allowed("page.js"), None);
    }
}
