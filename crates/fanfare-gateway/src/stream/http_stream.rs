//! `/connection/http_stream`: a stream for `fetch`, as lines of JSON, or in the encoding of bytes that is asked for; and
//! `/connection/uni_http_stream`, lines for clients that only listen.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
    routing::any,
};

use super::{
    door::{encoding, serve, take_body},
    framing::{LINES, WHOLE},
    open::{Form, Spoken, open},
};
use crate::{
    gateway::Gateway,
    http::{
        endpoint::{Endpoint, Kind},
        refusal::Refusal,
    },
    roles::Role,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/connection/http_stream"],
    roles: &[Role::Clients],
    kind: Kind::Page,
    handler: |_| any(stream),
    elsewhere: None,
};

/// The endpoint of clients that only listen.
pub(crate) const UNIDIRECTIONAL: Endpoint =
    Endpoint { paths: &["/connection/uni_http_stream"], handler: |_| any(unidirectional_stream), ..ENDPOINT };

/// The methods of both.
const METHODS: &str = "POST, OPTIONS";

static TEXT: Form = Form { content_type: "text/plain; charset=utf-8", transport: &LINES, prelude: b"" };
static BYTES: Form = Form { content_type: "application/octet-stream", transport: &WHOLE, prelude: b"" };

async fn stream(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, METHODS, request, async |request| answer(&gateway, request).await).await
}

async fn answer(gateway: &Gateway, mut request: Request) -> Result<Response, Refusal> {
    let connect = take_body(gateway, &mut request, gateway.hub.settings.limits().message_bytes).await?;
    let config = gateway.config();
    let encoding = encoding(&config, request.headers());
    let form = if encoding.over_http.is_binary { &BYTES } else { &TEXT };
    let spoken = Spoken { kind: &encoding.over_http.http_stream, decoder: encoding.decoder };
    open(gateway, request, spoken, form, connect).await
}

async fn unidirectional_stream(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, METHODS, request, async |mut request| {
        let most = gateway.hub.settings.limits().message_bytes;
        let connect = take_body(&gateway, &mut request, most).await?;
        let config = gateway.config();
        let endpoint = &config.unidirectional;
        let spoken = Spoken { kind: &endpoint.http_stream, decoder: endpoint.decoder };
        open(&gateway, request, spoken, &TEXT, connect).await
    })
    .await
}
