//! From a request to a session on the body of its answer.
//!
//! Invariants
//! - The steps are those of an upgrade: a token is verified last, and a node that goes away opens nothing.
//! - A mistake in the connect command is told by the stream, whose status is 200: the client's SDK reads it there.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use fanfare_core::{Decoder, Transport};
use fanfare_hub::{Kind, Peer};
use http::{
    HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, PRAGMA},
};

use super::body::body;
use crate::{
    gateway::Gateway,
    http::{
        refusal::Refusal,
        streamed::{Direct, Streamed},
    },
    rights::identify,
    trace,
    websocket::{
        greeting::{client, finish, headers_for_hooks},
        upgrade::Pending,
    },
};

/// The form of a stream.
pub(crate) struct Form {
    pub(crate) content_type: &'static str,
    pub(crate) transport: &'static dyn Transport,
    /// The first bytes of its body.
    pub(crate) prelude: &'static [u8],
}

/// The dialect of a stream.
pub(super) struct Spoken<'a> {
    pub(super) kind: &'a Arc<Kind>,
    pub(super) decoder: fn() -> Box<dyn Decoder>,
}

/// Opens a session whose first message is `connect`. Its stream is the answer.
///
/// # Errors
/// The client is not admitted.
pub(super) async fn open(
    gateway: &Gateway,
    request: Request,
    spoken: Spoken<'_>,
    form: &Form,
    connect: Bytes,
) -> Result<Response, Refusal> {
    let span = trace::handshake(&gateway.hub, &request, client(&request));
    let answer = async move {
        let (config, hub) = (gateway.config(), &gateway.hub);
        let address = client(&request).0;
        let permit = gateway.admission.admit(address, &config.admission)?;
        let identifying = identify(config.auth.as_ref(), hub, &request);
        let identity = identifying.await?;
        let feed = hub.calls.feeds().open();
        let headers = headers_for_hooks(&config.hook_headers, request.headers());
        let peer = Peer { address: Some(address), identity, fed_as: Some(feed.name().clone()), headers };
        let mut pending = Pending::open(hub.clone(), spoken.kind, peer, permit);
        if gateway.is_refusing() || !hub.sessions.admit(&pending.session) {
            return Err(Refusal::Leaving);
        }
        let (sink, body, gone) = body(form.prelude, pending.take_permit());
        let direct = sink.direct();
        hub.sessions.attach(&pending.session, form.transport, Arc::new(sink));
        let inbound = hub.inbound(pending.session.clone(), (spoken.decoder)());
        hub.sessions.spawn(feed.read(inbound, connect, gone.cancelled_owned()));
        Ok::<_, Refusal>(streamed(form, Body::new(body), direct))
    };
    let answer = answer.await;
    finish(span, &answer);
    answer
}

/// The answer, with the headers that keep proxies from holding it back.
pub(crate) fn streamed(form: &Form, body: Body, direct: Arc<dyn Direct>) -> Response {
    let headers = [
        (CONTENT_TYPE, form.content_type),
        (CACHE_CONTROL, "private, no-cache, no-store, must-revalidate, max-age=0"),
        (CONNECTION, "keep-alive"),
        (HeaderName::from_static("expire"), "0"),
        (PRAGMA, "no-cache"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let mut response = body.into_response();
    response.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response.extensions_mut().insert(Streamed(Some(direct)));
    response
}
