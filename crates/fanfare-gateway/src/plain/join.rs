//! A session joins the channels that its request names.
//!
//! Invariants
//! - What comes in a channel is held until the client was told of its subscription, and has its past.
//! - The place of a channel is where its past begins: a client that loses its stream at once goes on from there.
//! - A past that cannot be had does not refuse a client that goes on: the client is told.

use std::sync::Arc;

use fanfare_core::{
    Channel, Cursor, Identity, Position, Publication, Reply,
    reply::{Recovered, Subscription},
};
use fanfare_hub::{Hub, Session};
use futures_util::future::try_join_all;

use super::wanted::Wanted;
use crate::{http::refusal::Refusal, rights::may_read_history, websocket::past::Past};

/// A channel that a session joined. What comes in it is held.
pub(super) struct Place {
    /// The hub's name of it, which all its subscribers share.
    pub(super) channel: Channel,
    /// The position before the past; `None` in a channel without history.
    pub(super) start: Option<Position>,
    /// The past, in order.
    pub(super) past: Vec<Arc<Publication>>,
    /// Whether the past is whole; `None`: the request did not go on in this channel.
    pub(super) recovered: Option<bool>,
}

/// How a session begins in a channel.
struct Beginning<'a> {
    channel: &'a Channel,
    past: Option<Past>,
    recovered: Option<bool>,
}

/// Subscribes a session to all channels of its request.
///
/// # Errors
/// One of them is refused.
pub(super) async fn join(hub: &Hub, session: &Arc<Session>, wanted: &Wanted) -> Result<Vec<Place>, Refusal> {
    let identity = session.identity();
    let beginnings = wanted.channels.iter().map(|channel| begin(hub, identity.as_ref(), wanted, channel));
    let beginnings = beginnings.collect::<Result<Vec<_>, _>>()?;
    try_join_all(beginnings.into_iter().map(|beginning| beginning.join(hub, session))).await
}

/// How a session begins in a channel: a newcomer that asks for a past that there is not, or that it may not see, is
/// refused.
fn begin<'a>(
    hub: &Hub,
    identity: Option<&Arc<dyn Identity>>,
    wanted: &Wanted,
    channel: &'a Channel,
) -> Result<Beginning<'a>, Refusal> {
    let namespaces = hub.settings.namespaces();
    let namespace = namespaces.of(channel);
    let past = wanted.past_of(channel);
    if wanted.cursor.is_none() {
        past.map(|past| past.judge(namespace, identity, channel)).transpose()?;
        return Ok(Beginning { channel, past, recovered: None });
    }
    let can_go_on = namespace.retention.is_some() && may_read_history(namespace, identity, channel).is_ok();
    if past.is_some() && can_go_on {
        return Ok(Beginning { channel, past, recovered: Some(true) });
    }
    let has_lost = past.is_some() || namespace.retention.is_none() || wanted.is_lost();
    Ok(Beginning { channel, past: None, recovered: has_lost.then_some(false) })
}

impl Beginning<'_> {
    async fn join(self, hub: &Hub, session: &Arc<Session>) -> Result<Place, Refusal> {
        let Self { channel, past, recovered } = self;
        let past = match past {
            None => {
                let subscribed = hub.subscriptions.subscribe_held(session, channel).await?;
                let (channel, start) = (subscribed.channel, subscribed.position);
                return Ok(Place { channel, start, past: Vec::new(), recovered });
            }
            Some(past) => past.of_hub(),
        };
        let recovering = hub.subscriptions.recover_held(session, channel, past).await?;
        let first = recovering.publications.first().and_then(|first| first.position);
        let before = first.map(|first| Position { offset: first.offset.saturating_sub(1), ..first });
        Ok(Place {
            channel: recovering.subscribed.channel,
            start: before.or(recovering.subscribed.position),
            past: recovering.publications,
            recovered: recovered.map(|_| recovering.is_whole),
        })
    }
}

impl Place {
    /// The news of it for its client.
    pub(super) fn told(&self) -> Reply {
        let recovered = |is_whole| Recovered { is_whole, since: 0, publications: Vec::new() };
        let subscription = Subscription {
            position: self.start,
            recovered: self.recovered.map(recovered),
            ..Subscription::default()
        };
        Reply::Subscribed { id: 0, channel: self.channel.clone(), subscription }
    }
}

/// The cursor of a client that joined these channels.
pub(super) fn cursor(places: &[Place]) -> Cursor {
    let mut cursor = Cursor::default();
    for place in places {
        place.start.iter().for_each(|start| cursor.set(&place.channel, *start));
    }
    cursor
}
