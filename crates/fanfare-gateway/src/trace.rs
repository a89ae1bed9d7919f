//! Spans of requests.

use fanfare_core::{
    TraceContext,
    trace::{Finish, Handshake},
};
use fanfare_hub::Hub;
use http::HeaderMap;

use axum::extract::Request;

use crate::listener::client_address::Client;

/// W3C Trace Context, section 3.2.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// The parent span that a request names. A node that traces nothing does not look for it.
pub(crate) fn parent(hub: &Hub, headers: &HeaderMap) -> Option<TraceContext> {
    hub.tracer()?;
    let mut values = headers.get_all(TRACEPARENT).iter();
    // With two of them, neither can be trusted.
    let (value, None) = (values.next()?, values.next()) else { return None };
    TraceContext::from_header(value.as_bytes())
}

/// Begins the span of a handshake, where handshakes are traced.
pub(crate) fn handshake(hub: &Hub, request: &Request, client: Client) -> Option<Finish<u16>> {
    let tracer = hub.tracer()?;
    let parent = parent(hub, request.headers());
    tracer.handshake(&Handshake {
        method: request.method().as_str(),
        path: request.uri().path(),
        client: client.0,
        parent,
    })
}
