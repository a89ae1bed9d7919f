//! `/connection/sse`: a stream for a browser's `EventSource`, which can only ask by an address; and
//! `/connection/uni_sse`, for clients that only listen.

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
    open::{Form, Spoken, open},
};
use crate::{
    gateway::Gateway,
    http::{
        endpoint::{Endpoint, Kind},
        query::connect_of,
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

/// The endpoint of clients that only listen.
pub(crate) const UNIDIRECTIONAL: Endpoint =
    Endpoint { paths: &["/connection/uni_sse"], handler: |_| any(unidirectional_stream), ..ENDPOINT };

/// The methods of both.
const METHODS: &str = "GET, POST, OPTIONS";

/// A blank line: a block without data, which every `EventSource` skips.
static FORM: Form =
    Form { content_type: "text/event-stream; charset=utf-8", transport: &EVENTS, prelude: b"\r\n" };

async fn stream(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, METHODS, request, async |request| answer(&gateway, request).await).await
}

async fn answer(gateway: &Gateway, mut request: Request) -> Result<Response, Refusal> {
    let connect = take_connect(gateway, &mut request).await?;
    if connect.is_empty() {
        return Err(StreamError::NoConnect.into());
    }
    let config = gateway.config();
    let encoding = &config.commanded.usual;
    let spoken = Spoken { kind: &encoding.over_http.sse, decoder: encoding.decoder };
    open(gateway, request, spoken, &FORM, connect).await
}

async fn unidirectional_stream(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, METHODS, request, async |mut request| {
        let connect = take_connect(&gateway, &mut request).await?;
        let config = gateway.config();
        let endpoint = &config.unidirectional;
        let spoken = Spoken { kind: &endpoint.sse, decoder: endpoint.decoder };
        open(&gateway, request, spoken, &FORM, connect).await
    })
    .await
}

/// The first message of a client: the body of a POST, or a parameter. Empty where the request has neither.
async fn take_connect(gateway: &Gateway, request: &mut Request) -> Result<Bytes, StreamError> {
    if request.method() == Method::POST {
        let body = take_body(gateway, request, gateway.hub.settings.limits().message_bytes).await?;
        if !body.is_empty() {
            return Ok(body);
        }
    }
    Ok(connect_of(request.uri().query()).unwrap_or_default())
}
