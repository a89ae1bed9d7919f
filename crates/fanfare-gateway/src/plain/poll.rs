//! `GET /poll?channel=a&channel=b&cursor=C&timeout=25`: the messages behind a cursor, or the first that come.
//!
//! Invariants
//! - The node keeps nothing between two polls: any node answers the next one. A poll that is repeated gets the same.
//! - No message is lost between two polls, so channels without history are refused.
//! - A poll without a cursor is answered at once, with the cursor of this moment.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::any,
};
use fanfare_core::{CommandError, Cursor, Publication};
use fanfare_hub::{Hub, Session};

use super::{
    join::{Place, cursor, join},
    open::greet,
    poll_answer::{self, Messages, poll_sink},
    poll_body::{PollBody, PollSession},
    wanted::Wanted,
};
use crate::{
    gateway::Gateway,
    http::{
        endpoint::{Endpoint, Kind},
        query::parameters,
        refusal::Refusal,
        stream_error::StreamError,
        streamed::Streamed,
    },
    rights::{may_read_history, may_subscribe},
    roles::Role,
    stream::{door::serve, framing::LINES},
    trace,
    websocket::greeting::{client, finish},
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/poll"],
    roles: &[Role::Clients],
    kind: Kind::Page,
    handler: |_| any(poll),
    elsewhere: None,
};

/// The seconds that a poll waits where it does not say, as proxies bear it.
const USUAL: u64 = 25;

/// The most seconds that a poll waits.
const MOST: u64 = 55;

/// The part of the bound of a session's queue that the past in an answer has. JSON needs up to six bytes for one.
const PART: usize = 8;

async fn poll(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, "GET, OPTIONS", request, async |request| {
        let span = trace::handshake(&gateway.hub, &request, client(&request));
        let answer = answer(&gateway, request).await;
        finish(span, &answer);
        answer
    })
    .await
}

async fn answer(gateway: &Gateway, request: Request) -> Result<Response, Refusal> {
    let wanted = Wanted::of_query(request.uri().query())?.with_good_cursor()?;
    let wait = wait(request.uri().query())?;
    let hub = &gateway.hub;
    let config = gateway.config();
    let pending = greet(gateway, request, &wanted, &config.plain.polls).await?;
    let session = pending.session.clone();
    judge(hub, &session, &wanted)?;
    if wanted.cursor.is_none() {
        let cursor = tops(hub, &wanted).await?;
        return Ok(poll_answer::answer(Messages::default().body(cursor, true)));
    }
    let places = join(hub, &session, &wanted).await?;
    if !hub.sessions.admit(&session) {
        return Err(Refusal::Leaving);
    }
    let (poll, cursor) = (PollSession(pending), cursor(&places));
    let (sink, mut answered) = poll_sink();
    let is_recovered = places.iter().all(|place| place.recovered != Some(false));
    if !is_recovered || places.iter().any(|place| !place.past.is_empty()) {
        send_past(hub, &session, places);
        hub.sessions.attach(&session, &LINES, Arc::new(sink));
        let messages = answered.try_recv().unwrap_or_default();
        poll.finish();
        return Ok(poll_answer::answer(messages.body(cursor, is_recovered)));
    }
    hub.sessions.attach(&session, &LINES, Arc::new(sink));
    for place in places {
        hub.subscriptions.release(&session, &place.channel, Vec::new());
    }
    let mut response = poll_answer::answer(Body::new(PollBody::new(poll, answered, cursor, wait)));
    response.extensions_mut().insert(Streamed(None));
    Ok(response)
}

/// How long a poll waits.
fn wait(query: Option<&str>) -> Result<Duration, StreamError> {
    let asked = parameters(query).find(|(name, _)| name == "timeout");
    let seconds = match asked {
        None => Some(USUAL),
        Some((_, value)) => value.parse().ok().filter(|seconds| *seconds <= MOST),
    };
    seconds.map(Duration::from_secs).ok_or(StreamError::Timeout(MOST))
}

/// Checks that the channels keep their messages, and that the client may have them.
fn judge(hub: &Hub, session: &Session, wanted: &Wanted) -> Result<(), Refusal> {
    let (namespaces, identity) = (hub.settings.namespaces(), session.identity());
    for channel in &wanted.channels {
        let namespace = namespaces.of(channel);
        may_subscribe(namespace, identity.as_ref(), channel)?;
        may_read_history(namespace, identity.as_ref(), channel)?;
        namespace.retention.ok_or(StreamError::NotKept)?;
    }
    Ok(())
}

/// The cursor of this moment.
async fn tops(hub: &Hub, wanted: &Wanted) -> Result<Cursor, Refusal> {
    let tops = hub.history.tops(&wanted.channels).await;
    let tops = tops.map_err(|error| CommandError::Unavailable(error.to_string()))?;
    let mut cursor = Cursor::default();
    wanted.channels.iter().zip(tops).for_each(|(channel, top)| cursor.set(channel, top));
    Ok(cursor)
}

/// Sends the first part of the past. The rest, and what came since, is for the next poll.
fn send_past(hub: &Hub, session: &Arc<Session>, places: Vec<Place>) {
    let mut room = hub.budget().per_session() / PART;
    let mut is_first = true;
    for Place { channel, past, .. } in places {
        let fits = |publication: &Arc<Publication>| {
            let bytes = publication.payload.len() + channel.as_str().len();
            let fits = std::mem::take(&mut is_first) || bytes <= room;
            room = if fits { room.saturating_sub(bytes) } else { 0 };
            fits
        };
        let part = past.into_iter().take_while(fits).collect();
        hub.subscriptions.send_past(session, &channel, part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_says_how_long_it_waits() {
        let of = |query| wait(Some(query)).map(|wait| wait.as_secs());
        assert_eq!(of("channel=a"), Ok(USUAL));
        assert_eq!((of("timeout=0"), of("timeout=55")), (Ok(0), Ok(55)));
        for wrong in ["timeout=", "timeout=56", "timeout=-1", "timeout=1.5", "timeout=x"] {
            assert_eq!(of(wrong), Err(StreamError::Timeout(MOST)), "{wrong}");
        }
    }
}
