//! From a request that names channels to a session on the body of its answer.
//!
//! Invariants
//! - The steps are those of an upgrade: a token is verified last, and a node that goes away opens nothing.
//! - The client is told of its subscriptions before the first message. A past comes before what came since.

use std::{sync::Arc, time::SystemTime};

use axum::{body::Body, extract::Request, response::Response};
use fanfare_core::{Answer, Channel, Disconnect, Publication, Push, Sink};
use fanfare_hub::{Hub, Kind, Peer, Session};
use http::{HeaderValue, header::CACHE_CONTROL};
use tokio_util::sync::CancellationToken;

use super::{
    join::{Place, cursor, join},
    joined_cursor::{JoinedCursor, Mark},
    wanted::Wanted,
};
use crate::{
    gateway::Gateway,
    http::refusal::Refusal,
    rights::identify,
    stream::{
        body::body,
        open::{Form, streamed},
    },
    trace,
    websocket::{
        greeting::{client, finish},
        upgrade::Pending,
    },
};

/// Keeps proxies from compressing a stream, and so from holding it back.
const UNCHANGED: HeaderValue =
    HeaderValue::from_static("private, no-cache, no-store, must-revalidate, max-age=0, no-transform");

/// The form of a stream of channels.
pub(super) struct Plain {
    pub(super) form: Form,
    /// The place of its cursor.
    pub(super) mark: Mark,
}

/// Opens a session in the channels that a request names. Its stream, which begins with `prelude`, is the answer.
///
/// # Errors
/// The client is not admitted, or not to one of the channels.
pub(super) async fn open(
    gateway: &Gateway,
    request: Request,
    wanted: &Wanted,
    kind: &Arc<Kind>,
    plain: &Plain,
    prelude: &[u8],
) -> Result<Response, Refusal> {
    let span = trace::handshake(&gateway.hub, &request, client(&request));
    let answer = async move {
        let mut pending = greet(gateway, request, wanted, kind).await?;
        let (hub, session) = (gateway.hub.clone(), pending.session.clone());
        let places = join(&hub, &session, wanted).await?;
        if !hub.sessions.admit(&session) {
            return Err(Refusal::Leaving);
        }
        tell(&hub, &session, &places);
        let (sink, body, gone) = body(prelude, pending.take_permit());
        let direct = sink.direct();
        let sink: Arc<dyn Sink> = if wanted.channels.len() == 1 {
            Arc::new(sink)
        } else {
            Arc::new(JoinedCursor::new(sink, plain.mark, cursor(&places)))
        };
        hub.sessions.attach(&session, plain.form.transport, sink);
        let pasts = places.into_iter().map(|place| (place.channel, place.past)).collect();
        gateway.hub.sessions.spawn(serve(hub, session, pasts, gone));
        let mut response = streamed(&plain.form, Body::new(body), direct);
        response.headers_mut().insert(CACHE_CONTROL, UNCHANGED);
        Ok::<_, Refusal>(response)
    };
    let answer = answer.await;
    finish(span, &answer);
    answer
}

/// A session for a client that is admitted. It has joined no channel yet.
///
/// # Errors
/// The client is not admitted.
pub(super) async fn greet(
    gateway: &Gateway,
    request: Request,
    wanted: &Wanted,
    kind: &Arc<Kind>,
) -> Result<Pending, Refusal> {
    let (config, hub) = (gateway.config(), &gateway.hub);
    wanted.judge(&hub.settings.limits())?;
    let address = client(&request).0;
    let permit = gateway.admission.admit(address, &config.admission)?;
    let identifying = identify(config.auth.as_ref(), hub, &request);
    let identity = identifying.await?;
    let peer = Peer { address: Some(address), identity, ..Peer::default() };
    let pending = Pending::open(hub.clone(), kind, peer, permit);
    if gateway.is_refusing() {
        return Err(Refusal::Leaving);
    }
    Ok(pending)
}

/// Tells a client of its subscriptions, and when its token expires.
fn tell(hub: &Hub, session: &Arc<Session>, places: &[Place]) {
    let dialect = session.dialect();
    let expires_at = session.identity().and_then(|identity| identity.expires_at());
    let left = expires_at.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
    let expiring = left.and_then(|left| dialect.push(&Push::Refreshed { expires_in: Some(left) }));
    let told = places.iter().filter_map(|place| match dialect.reply(&place.told()) {
        Answer::Send(message) => Some(message),
        Answer::Nothing | Answer::End(_) => None,
    });
    hub.writer.send_all(session, told.chain(expiring).collect());
}

/// Sends the past, then waits until the client is gone.
async fn serve(
    hub: Arc<Hub>,
    session: Arc<Session>,
    pasts: Vec<(Channel, Vec<Arc<Publication>>)>,
    gone: CancellationToken,
) {
    {
        // Boxed: its memory is needed only at the beginning.
        let releasing = Box::pin(async {
            for (channel, past) in pasts {
                hub.subscriptions.release_past(&session, &channel, past).await;
            }
        });
        tokio::select! {
            biased;
            () = gone.cancelled() => {}
            () = releasing => {}
        }
    }
    gone.cancelled().await;
    hub.goodbyes.end(&session, &Disconnect::Lost);
    session.let_go();
}
