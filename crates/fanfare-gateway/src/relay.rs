//! The upgrade of the plain WebSocket.
//!
//! Invariant: the 101 goes out after the broker confirmed the subscription and the session joined the channel, so
//! a client that has its 101 gets every message published anywhere from then on.

use std::{net::Ipv6Addr, sync::Arc, time::SystemTime};

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use fanfare_auth::token_source;
use fanfare_core::{Channel, Identity};
use fanfare_websocket::handshake::{self, Terms};
use http::StatusCode;

use crate::{
    client::Client,
    framing::{DEFLATE, PLAIN},
    gateway::{ClientAuth, Gateway},
    path::{self, PathError},
    refusal::Refusal,
    trace,
    upgrade::Pending,
};

/// `GET /ws/{channel}`.
pub(crate) async fn upgrade_ws(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
) -> Result<Response, Refusal> {
    // The router's own decoding is not used: it refuses what is not UTF-8 in words of its own.
    let encoded = request.uri().path().strip_prefix("/ws/").unwrap_or_default();
    let channel = path::channel(encoded);
    upgrade(&gateway, channel, request).await
}

/// Subscribes the client to `channel`, then answers with the 101; in a span where that is traced.
///
/// # Errors
/// It is refused, and why.
pub(crate) async fn upgrade(
    gateway: &Arc<Gateway>,
    channel: Result<Channel, PathError>,
    request: Request,
) -> Result<Response, Refusal> {
    let client = client(&request);
    let span = trace::handshake(&gateway.hub, &request, client);
    let answer = match channel {
        Ok(channel) => accept(gateway, channel, client, request).await,
        Err(error) => Err(error.into()),
    };
    if let Some(finish) = span {
        finish(answer.as_ref().map_or_else(Refusal::status, Response::status).as_u16());
    }
    answer
}

async fn accept(
    gateway: &Arc<Gateway>,
    channel: Channel,
    client: Client,
    mut request: Request,
) -> Result<Response, Refusal> {
    let config = gateway.config();
    // What is secret is not echoed.
    let terms = Terms { deflate: config.deflate, pass_over: token_source::is_token };
    let accepted = handshake::accept(request.method(), request.version(), request.headers(), terms)?;
    config.origins.check(request.headers())?;
    // Before the token is looked at: that is what costs.
    let permit = gateway.admission.admit(client.0, &config.doors)?;
    let identity = identify(config.auth.as_ref(), &request)?;
    let hub = &gateway.hub;
    let pending = Pending::open(hub.clone(), &config.relay.kind, identity, permit);
    if gateway.is_refusing() {
        // Since the request was looked at; the drain may have found that nobody is left.
        return Err(Refusal::Leaving);
    }
    pending.session.comes_from(client.0);
    let channel = hub.subscribe(&pending.session, &channel).await?;
    if !hub.admit(&pending.session) {
        // A drain overtook it.
        return Err(Refusal::Leaving);
    }
    let transport = if accepted.send_compressed { &DEFLATE } else { &PLAIN };
    let decoder = (config.relay.decoder)(channel);
    tokio::spawn(pending.settle(hyper::upgrade::on(&mut request), transport, decoder, accepted.deflate));
    Ok((StatusCode::SWITCHING_PROTOCOLS, accepted.headers(), Body::empty()).into_response())
}

/// Every request has one; without, it would be counted with all that have none.
fn client(request: &Request) -> Client {
    request.extensions().get().copied().unwrap_or(Client(Ipv6Addr::UNSPECIFIED.into()))
}

/// Who the client says it is, where tokens are configured. A token that is not good is refused, also where the
/// channel needs none: its sender would wonder later.
fn identify(auth: Option<&ClientAuth>, request: &Request) -> Result<Option<Arc<dyn Identity>>, Refusal> {
    let Some(ClientAuth { tokens, source }) = auth else { return Ok(None) };
    let Some(token) = source.find(request.headers(), request.uri().query())? else { return Ok(None) };
    let claims = tokens.verify(token.reveal(), SystemTime::now())?;
    Ok(Some(Arc::new(claims)))
}
