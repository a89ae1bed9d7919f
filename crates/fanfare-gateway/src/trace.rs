//! Spans of requests, and the traces that they name.

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

/// The span that a request says it is under. Where nothing is traced it is not looked for.
pub(crate) fn parent(hub: &Hub, headers: &HeaderMap) -> Option<TraceContext> {
    hub.tracer()?;
    let mut values = headers.get_all(TRACEPARENT).iter();
    // Of two, either may be somebody else's.
    let (value, None) = (values.next()?, values.next()) else { return None };
    TraceContext::from_header(value.as_bytes())
}

/// Begins the span of a handshake, where it is traced.
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
