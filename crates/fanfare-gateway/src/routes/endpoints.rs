//! Every endpoint, once. A new endpoint is one line here; a method of the API, one line in `api/methods`.

use crate::{
    api::{
        access, client_publish, cluster,
        methods::{METHODS, rpc},
        openapi,
    },
    http::endpoint::Endpoint,
    plain::{events, lines, poll},
    stream::{emulation, http_stream, sse},
    websocket::{commanded, relay},
};

use super::{health, page};

/// All endpoints but the methods of the API.
const ENDPOINTS: &[Endpoint] = &[
    access::OTHERS,
    cluster::ENDPOINT,
    openapi::ENDPOINT,
    rpc::ENDPOINT,
    client_publish::ENDPOINT,
    relay::ENDPOINT,
    commanded::ENDPOINT,
    commanded::UNIDIRECTIONAL,
    sse::ENDPOINT,
    sse::UNIDIRECTIONAL,
    http_stream::ENDPOINT,
    http_stream::UNIDIRECTIONAL,
    emulation::ENDPOINT,
    events::OF_ONE,
    events::OF_SEVERAL,
    lines::ENDPOINT,
    poll::ENDPOINT,
    health::ALIVE,
    health::READY,
    health::METRICS,
    page::ASSETS,
];

/// All endpoints.
pub(crate) fn all() -> impl Iterator<Item = &'static Endpoint> {
    METHODS.iter().map(|method| &method.endpoint).chain(ENDPOINTS)
}

/// First path segments that are kept without an endpoint: for endpoints to come, and for requests that probes and
/// browsers make on their own, for which any page would be a success.
const RESERVED: &[&str] = &[
    "app",
    "apps",
    "socket.io",
    "sockjs",
    "signalr",
    "admin",
    "status",
    "ping",
    "favicon.ico",
    "robots.txt",
    ".well-known",
];

/// The first path segments that are not channels on a bare path, in lower case.
pub(crate) fn kept() -> Vec<&'static str> {
    let mut kept: Vec<_> = all().flat_map(Endpoint::kept).collect();
    kept.dedup();
    kept.extend(RESERVED);
    kept
}

/// Whether a first path segment is not a channel on a bare path.
pub(crate) fn is_kept(segment: &str) -> bool {
    let kept = all().flat_map(Endpoint::kept).chain(RESERVED.iter().copied());
    kept.into_iter().any(|kept| kept.eq_ignore_ascii_case(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_is_kept_once_in_any_case() {
        let mut kept = kept();
        for segment in ["api", "ws", "connection", "healthz", "ready", "metrics", "assets", "socket.io"] {
            assert!(kept.contains(&segment) && is_kept(&segment.to_uppercase()), "{segment}");
        }
        assert!(!is_kept("chat") && !is_kept(""));
        let all = kept.len();
        kept.sort_unstable();
        kept.dedup();
        assert_eq!(kept.len(), all);
    }
}
