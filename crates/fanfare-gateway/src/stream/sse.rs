//! `/connection/sse`: a stream for a browser's `EventSource`, which can only ask by an address.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
    routing::any,
};
use bytes::Bytes;
use http::Method;

use super::{
    door::{serve, take_body},
    framing::EVENTS,
    open::{Form, open},
};
use crate::{
    gateway::Gateway,
    http::{
        endpoint::{Endpoint, Kind},
        query::parameters,
        refusal::Refusal,
        stream_error::StreamError,
    },
    roles::Role,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/connection/sse"],
    roles: &[Role::Clients],
    kind: Kind::Page,
    handler: |_| any(stream),
    elsewhere: None,
};

/// The parameter of the query with the connect command.
const CONNECT: &str = "cf_connect";

/// A blank line: a block without data, which every `EventSource` skips.
static FORM: Form =
    Form { content_type: "text/event-stream; charset=utf-8", transport: &EVENTS, prelude: b"\r\n" };

async fn stream(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, "GET, POST, OPTIONS", request, async |request| answer(&gateway, request).await).await
}

async fn answer(gateway: &Gateway, mut request: Request) -> Result<Response, Refusal> {
    let connect = if request.method() == Method::POST {
        take_body(gateway, &mut request, gateway.hub.settings.limits().message_bytes).await?
    } else {
        let named = parameters(request.uri().query()).find(|(name, _)| name == CONNECT);
        named.map(|(_, value)| Bytes::from(value)).unwrap_or_default()
    };
    if connect.is_empty() {
        return Err(StreamError::NoConnect.into());
    }
    let config = gateway.config();
    open(gateway, request, &config.commanded.usual, &FORM, connect).await
}
