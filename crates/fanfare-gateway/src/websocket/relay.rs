//! The upgrade of the plain WebSocket.
//!
//! Invariant: the 101 goes out after the broker confirmed the subscription and the session joined the channel. So a
//! client that has its 101 gets every message that is published anywhere from then on.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
    routing::any,
};
use fanfare_core::{Channel, Decoder, Disconnect, Message};
use http::header::ORIGIN;

use super::{
    framing::PLAIN,
    greeting::{client, finish, greet, handshake, switch, switched},
    past::{Past, join},
    upgrade::Pending,
};
use crate::{
    gateway::Gateway,
    http::{
        endpoint::{Endpoint, Kind},
        refusal::Refusal,
        refused::Refused,
    },
    listener::client_address::Client,
    path::{self, PathError},
    roles::Role,
    trace,
};

/// `/ws/{channel}`.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/ws/{*channel}"],
    roles: &[Role::Clients],
    kind: Kind::Socket,
    handler: |_| any(upgrade_ws),
    elsewhere: None,
};

async fn upgrade_ws(State(gateway): State<Arc<Gateway>>, request: Request) -> Result<Response, Refusal> {
    // The router does not decode the path: it would refuse a path that is not UTF-8 in its own words.
    let encoded = request.uri().path().strip_prefix("/ws/").unwrap_or_default();
    let channel = path::channel(encoded);
    upgrade(&gateway, channel, request).await
}

/// Subscribes the client to `channel`, then answers with the 101; in a span, where handshakes are traced.
///
/// # Errors
/// The upgrade is refused.
pub(crate) async fn upgrade(
    gateway: &Arc<Gateway>,
    channel: Result<Channel, PathError>,
    mut request: Request,
) -> Result<Response, Refusal> {
    let client = client(&request);
    let span = trace::handshake(&gateway.hub, &request, client);
    let answer = match channel {
        Ok(channel) => accept(gateway, channel, client, &mut request).await,
        Err(error) => Err(error.into()),
    };
    finish(span, &answer);
    answer.or_else(|refusal| tell_browser(gateway, client, &mut request, refusal))
}

/// Accepts the handshake of a browser, and says in a close frame why the upgrade is refused, where that is configured:
/// a browser hides any other answer from its page. The session joins no channel, and is closed before it begins.
///
/// # Errors
/// The refusal, where it goes into the answer: the client is not a browser, or the reason is not its origin, token or
/// channel.
fn tell_browser(
    gateway: &Arc<Gateway>,
    client: Client,
    request: &mut Request,
    refusal: Refusal,
) -> Result<Response, Refusal> {
    let config = gateway.config();
    let is_meant = config.browser_errors && request.headers().contains_key(ORIGIN) && !gateway.is_refusing();
    let (true, Some(frame)) = (is_meant, refusal.close_frame()) else { return Err(refusal) };
    let Ok(accepted) = handshake(&config, request) else { return Err(refusal) };
    let Ok(permit) = gateway.admission.admit(client.0, &config.admission) else { return Err(refusal) };
    let peer = fanfare_hub::Peer { address: Some(client.0), identity: None, headers: None };
    let pending = Pending::open(gateway.hub.clone(), &config.relay.kind, peer, permit);
    let refused = Refused { close: Some(frame.code), ..refusal.refused() };
    gateway.hub.goodbyes.end(&pending.session, &Disconnect::TurnedAway(frame));
    tokio::spawn(pending.settle(hyper::upgrade::on(request), &PLAIN, Box::new(Unheard), accepted.deflate));
    let mut response = switched(&accepted);
    response.extensions_mut().insert(refused);
    Ok(response)
}

/// Decodes nothing: the client is refused.
struct Unheard;

impl Decoder for Unheard {
    fn decode(
        &mut self,
        _message: Message,
        _requests: &mut Vec<fanfare_core::Request>,
    ) -> Result<(), Disconnect> {
        Ok(())
    }
}

async fn accept(
    gateway: &Arc<Gateway>,
    channel: Channel,
    client: Client,
    request: &mut Request,
) -> Result<Response, Refusal> {
    let greeted = greet(gateway, client, request).await?;
    let hub = &gateway.hub;
    let past = Past::of(request.uri().query())?;
    if let Some(past) = past {
        past.judge(hub.settings.namespaces().of(&channel), greeted.identity.as_ref(), &channel)?;
    }
    let config = greeted.config.clone();
    let (mut pending, accepted) = greeted.open(gateway, &config.relay.kind)?;
    let joined = join(hub, &pending.session, &channel, past).await?;
    let header = joined.header();
    pending.past = joined.past;
    let decoder = (config.relay.decoder)(joined.channel);
    let mut response = switch(pending, &accepted, decoder, request)?;
    response.headers_mut().extend(header);
    Ok(response)
}
