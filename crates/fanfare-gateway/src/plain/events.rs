//! `GET /sse/{channel}` and `GET /sse?channel=a&channel=b`: Server-Sent Events, for a browser's `EventSource`.
//!
//! Invariant: every answer that is not final has the status 200, since an `EventSource` gives up at any other.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
    routing::any,
};
use fanfare_hub::Kind as Dialect;

use super::{
    come_back,
    joined_cursor::Mark,
    open::{Plain, open},
    wanted::Wanted,
};
use crate::{
    gateway::{Gateway, PlainEndpoints},
    http::{
        endpoint::{Endpoint, Kind},
        refusal::Refusal,
    },
    path,
    roles::Role,
    stream::{door::serve, framing::WHOLE, open::Form},
};

/// The endpoint of a stream of one channel.
pub(crate) const OF_ONE: Endpoint = Endpoint {
    paths: &["/sse/{*channel}"],
    roles: &[Role::Clients],
    kind: Kind::Events,
    handler: |_| any(of_one),
    elsewhere: None,
};

/// The endpoint of a stream of several channels.
pub(crate) const OF_SEVERAL: Endpoint = Endpoint { paths: &["/sse"], handler: |_| any(of_several), ..OF_ONE };

/// The methods of both.
const METHODS: &str = "GET, OPTIONS";

static EVENTS: Plain = Plain {
    form: Form { content_type: come_back::CONTENT_TYPE_OF_EVENTS, transport: &WHOLE, prelude: b"" },
    mark: Mark { before: b"id: ", end: b'\n' },
};

async fn of_one(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, METHODS, request, async |request| {
        let encoded = request.uri().path().strip_prefix("/sse/").unwrap_or_default();
        let channels = vec![path::channel(encoded)?];
        let wanted = Wanted { channels, ..Wanted::of_event_source(&request)? };
        answer(&gateway, request, &wanted, |plain| &plain.events_of_one).await
    })
    .await
}

async fn of_several(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, METHODS, request, async |request| {
        let wanted = Wanted::of_event_source(&request)?;
        answer(&gateway, request, &wanted, |plain| &plain.events_of_several).await
    })
    .await
}

async fn answer(
    gateway: &Gateway,
    request: Request,
    wanted: &Wanted,
    dialect: fn(&PlainEndpoints) -> &Arc<Dialect>,
) -> Result<Response, Refusal> {
    let config = gateway.config();
    let prelude = come_back::prelude();
    let opened = open(gateway, request, wanted, dialect(&config.plain), &EVENTS, prelude.as_bytes()).await;
    opened.or_else(come_back::answer)
}
