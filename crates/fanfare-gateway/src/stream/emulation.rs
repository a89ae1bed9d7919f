//! `POST /emulation`: the commands of a client whose replies come down its stream, at whichever node.
//!
//! Invariant: the answer comes before the commands are carried out. They wait for their session, behind those that came
//! before.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use fanfare_core::Incarnation;
use fanfare_hub::Calls;
use http::StatusCode;

use super::door::{encoding, serve, take_body};
use crate::{
    gateway::{Emulated, Gateway},
    http::{
        endpoint::{Endpoint, Kind},
        refusal::Refusal,
        stream_error::StreamError,
    },
    roles::Role,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/emulation"],
    roles: &[Role::Clients],
    kind: Kind::Page,
    handler: |_| any(emulation),
    elsewhere: None,
};

/// JSON may need six bytes for one (`\u0000`).
const PER_BYTE: usize = 6;

/// The names around the commands.
const NAMES: usize = 1 << 10;

/// The longest name of a session; a longer one is unknown.
const LONGEST_NAME: usize = 64;

async fn emulation(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, "POST, OPTIONS", request, async |request| answer(&gateway, request).await).await
}

async fn answer(gateway: &Gateway, mut request: Request) -> Result<Response, Refusal> {
    // The same at every node, whether the session is there or elsewhere.
    let longest = Calls::longest_feed(gateway.hub.settings.limits().message_bytes);
    let body = take_body(gateway, &mut request, longest * PER_BYTE + NAMES).await?;
    let config = gateway.config();
    let read = encoding(&config, request.headers()).over_http.emulated;
    let Emulated { session, node, commands } = read(&body).ok_or(StreamError::NotEmulation)?;
    if commands.len() > longest {
        return Err(StreamError::TooLarge(longest).into());
    }
    let node = known(gateway, &node).ok_or(StreamError::UnknownNode)?;
    if session.len() <= LONGEST_NAME {
        gateway.hub.calls.feed(node, &session, commands);
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The node of this name, if the cluster has it.
fn known(gateway: &Gateway, name: &str) -> Option<Incarnation> {
    let is_known = gateway.cluster.me().incarnation == name
        || gateway.cluster.nodes().iter().any(|node| node.incarnation == name);
    is_known.then(|| u64::from_str_radix(name, 16).ok()).flatten().map(Incarnation)
}
