//! The common part of all upgrades: from a request to a session, and to its 101.
//!
//! Invariants
//! - A token is verified last, since that costs most.
//! - A session of a node that refuses or drains does not get its 101.

use std::{net::Ipv6Addr, sync::Arc};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use fanfare_auth::token_source;
use fanfare_core::{Decoder, Identity, trace::Finish};
use fanfare_hub::{Kind, Peer};
use fanfare_websocket::handshake::{self, Accepted, Options};
use http::{HeaderMap, StatusCode};

use super::{
    framing::{DEFLATE, PLAIN},
    upgrade::Pending,
};
use crate::{
    gateway::{Config, Gateway},
    http::refusal::Refusal,
    listener::{admission::Permit, client_address::Client},
    rights::identify,
};

/// A client whose request is good, and that is admitted.
pub(super) struct Greeted {
    pub(super) config: Arc<Config>,
    pub(super) accepted: Accepted,
    pub(super) identity: Option<Arc<dyn Identity>>,
    pub(super) headers: Option<Arc<[(String, String)]>>,
    client: Client,
    permit: Permit,
}

/// Judges the request of an upgrade.
///
/// # Errors
/// The upgrade is refused.
pub(super) async fn greet(
    gateway: &Gateway,
    client: Client,
    request: &mut Request,
) -> Result<Greeted, Refusal> {
    let config = gateway.config();
    let accepted = handshake(&config, request)?;
    config.origins.check(request.headers())?;
    let permit = gateway.admission.admit(client.0, &config.admission)?;
    let identity = identify(config.auth.as_ref(), &gateway.hub, request).await?;
    Ok(Greeted { config, accepted, identity, headers: None, client, permit })
}

/// The WebSocket handshake alone.
pub(super) fn handshake(config: &Config, request: &Request) -> Result<Accepted, handshake::Refusal> {
    // A token among the subprotocols is not echoed.
    let options = Options { deflate: config.deflate, is_secret: token_source::is_token };
    handshake::accept(request.method(), request.version(), request.headers(), options)
}

impl Greeted {
    /// Opens the client's session.
    ///
    /// # Errors
    /// The node goes away.
    pub(super) fn open(self, gateway: &Gateway, kind: &Arc<Kind>) -> Result<(Pending, Accepted), Refusal> {
        let Self { accepted, identity, headers, client, permit, .. } = self;
        let peer = Peer { address: Some(client.0), identity, headers, fed_as: None };
        let pending = Pending::open(gateway.hub.clone(), kind, peer, permit);
        if gateway.is_refusing() {
            // The node began to refuse meanwhile; the drain may have found no session left.
            return Err(Refusal::Leaving);
        }
        Ok((pending, accepted))
    }
}

/// The headers of a handshake that the backend gets. A handshake is bounded, and so are they.
pub(crate) fn headers_for_hooks(names: &[String], headers: &HeaderMap) -> Option<Arc<[(String, String)]>> {
    let values = names.iter().flat_map(|name| {
        headers
            .get_all(name)
            .iter()
            .filter_map(move |value| Some((name.clone(), value.to_str().ok()?.to_owned())))
    });
    let kept: Arc<[_]> = values.collect();
    (!kept.is_empty()).then_some(kept)
}

/// Hands a session to the task that takes its socket, and answers with the 101.
///
/// # Errors
/// A drain overtook the session.
pub(super) fn switch(
    pending: Pending,
    accepted: &Accepted,
    decoder: Box<dyn Decoder>,
    request: &mut Request,
) -> Result<Response, Refusal> {
    if !pending.hub.sessions.admit(&pending.session) {
        return Err(Refusal::Leaving);
    }
    let transport = if accepted.send_compressed { &DEFLATE } else { &PLAIN };
    tokio::spawn(pending.settle(hyper::upgrade::on(request), transport, decoder, accepted.deflate));
    Ok(switched(accepted))
}

/// The 101.
pub(super) fn switched(accepted: &Accepted) -> Response {
    (StatusCode::SWITCHING_PROTOCOLS, accepted.headers(), Body::empty()).into_response()
}

/// Ends the span of a handshake, where handshakes are traced.
pub(crate) fn finish(span: Option<Finish<u16>>, answer: &Result<Response, Refusal>) {
    if let Some(finish) = span {
        finish(answer.as_ref().map_or_else(Refusal::status, Response::status).as_u16());
    }
}

/// The address of the client: an extension of every request.
pub(crate) fn client(request: &Request) -> Client {
    request.extensions().get().copied().unwrap_or(Client(Ipv6Addr::UNSPECIFIED.into()))
}
