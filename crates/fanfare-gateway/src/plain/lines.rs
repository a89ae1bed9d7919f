//! `POST /stream` and `GET /stream?channel=a&channel=b`: lines of JSON, for `fetch` and scripts. The body of a POST names
//! channels: `{"channels":["a","b"],"cursor":"…"}`.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
    routing::any,
};
use http::Method;

use super::{
    joined_cursor::Mark,
    open::{Plain, open},
    wanted::Wanted,
};
use crate::{
    gateway::Gateway,
    http::{
        endpoint::{Endpoint, Kind},
        refusal::Refusal,
    },
    roles::Role,
    stream::{
        door::{serve, take_body},
        framing,
        open::Form,
    },
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/stream"],
    roles: &[Role::Clients],
    kind: Kind::Page,
    handler: |_| any(stream),
    elsewhere: None,
};

static LINES: Plain = Plain {
    form: Form { content_type: "application/x-ndjson", transport: &framing::LINES, prelude: b"" },
    mark: Mark { before: b"{\"cursor\":\"", end: b'"' },
};

async fn stream(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, "GET, POST, OPTIONS", request, async |request| answer(&gateway, request).await).await
}

async fn answer(gateway: &Gateway, mut request: Request) -> Result<Response, Refusal> {
    let wanted = wanted(gateway, &mut request).await?.with_good_cursor()?;
    let config = gateway.config();
    open(gateway, request, &wanted, &config.plain.lines, &LINES, b"").await
}

/// The channels of the body, or of the address where the body is empty.
async fn wanted(gateway: &Gateway, request: &mut Request) -> Result<Wanted, Refusal> {
    if request.method() == Method::POST {
        let body = take_body(gateway, request, gateway.hub.settings.limits().message_bytes).await?;
        if !body.is_empty() {
            return Wanted::of_body(&body);
        }
    }
    Wanted::of_query(request.uri().query())
}
