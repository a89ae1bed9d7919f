//! From the hub's replies, pushes and publications to the protocol's.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fanfare_core::{
    Attributes, CloseFrame, Disconnect, Payload, Position, Publication, Push, Reply,
    attributes::PresenceChange,
    dialect::Unsubscribed,
    presence::{PresenceEntry, PresenceStats},
    reply::{Connected, Subscription},
};

use super::{
    delta::{self, Data, Form},
    encoding::Encoding,
    errors, payload,
    wire::{
        self, ClientInfo, ConnectResult, DisconnectPush, Empty, HistoryResult, MessagePush, PresenceResult,
        PresenceStatsResult, Presented, RefreshPush, RefreshResult, RpcResult, SubRefreshResult,
        SubscribePush, SubscribeResult, Subscribed, UnsubscribePush,
    },
};

/// The name by which clients know the server. SDKs only show it.
const VERSION: &str = "Fanfare";

/// The tag that says the name of an event.
const EVENT_TAG: &str = "event";

/// The reply to a command.
///
/// # Errors
/// The connection ends instead.
pub(super) fn reply(reply: &Reply, encoding: Encoding) -> Result<wire::Reply, Disconnect> {
    let with = |id: &u32| wire::Reply { id: *id, ..Default::default() };
    Ok(match reply {
        Reply::Connected(connected) => {
            wire::Reply { connect: Some(connect(connected, encoding)), ..with(&connected.id) }
        }
        Reply::Subscribed { id, subscription, .. } => {
            wire::Reply { subscribe: Some(subscribe(subscription, encoding)), ..with(id) }
        }
        Reply::Unsubscribed { id, .. } => wire::Reply { unsubscribe: Some(Empty {}), ..with(id) },
        Reply::Published { id } => wire::Reply { publish: Some(Empty {}), ..with(id) },
        Reply::History { id, top, publications } => {
            wire::Reply { history: Some(history(*top, publications, encoding)), ..with(id) }
        }
        Reply::Presence { id, entries } => wire::Reply { presence: Some(presence(entries)), ..with(id) },
        Reply::PresenceStats { id, stats } => {
            wire::Reply { presence_stats: Some(presence_stats(*stats)), ..with(id) }
        }
        Reply::Rpc { id, data } => {
            let data = some_data(data.as_ref(), encoding);
            wire::Reply { rpc: Some(RpcResult { data }), ..with(id) }
        }
        Reply::Refreshed { id, client, expires_in } => {
            let (expires, ttl) = expiry(*expires_in);
            let result =
                RefreshResult { client: client.to_string(), version: VERSION.to_owned(), expires, ttl };
            wire::Reply { refresh: Some(result), ..with(id) }
        }
        Reply::SubscriptionRefreshed { id, expires_in } => {
            let (expires, ttl) = expiry(*expires_in);
            wire::Reply { sub_refresh: Some(SubRefreshResult { expires, ttl }), ..with(id) }
        }
        Reply::Failed { id, error } => wire::Reply { error: Some(errors::error(error)?), ..with(id) },
    })
}

/// A push to one session.
pub(super) fn push(push: &Push, encoding: Encoding) -> wire::Reply {
    pushed(bare_push(push, encoding))
}

/// The same, not wrapped in a reply.
pub(super) fn bare_push(push: &Push, encoding: Encoding) -> wire::Push {
    match push {
        Push::Subscribed { channel, position, data } => {
            let (epoch, offset) = epoch_and_offset(*position);
            let is_kept = position.is_some();
            let data = some_data(data.as_ref(), encoding);
            let subscribe = SubscribePush { recoverable: is_kept, epoch, offset, positioned: is_kept, data };
            wire::Push { channel: channel.to_string(), subscribe: Some(subscribe), ..Default::default() }
        }
        Push::Unsubscribed { channel, reason } => wire::Push {
            channel: channel.to_string(),
            unsubscribe: Some(unsubscribe(*reason)),
            ..Default::default()
        },
        Push::Refreshed { expires_in } => {
            let (expires, ttl) = expiry(*expires_in);
            wire::Push { refresh: Some(RefreshPush { expires, ttl }), ..Default::default() }
        }
        Push::Message(payload) => {
            let message = MessagePush { data: payload::outgoing(payload, encoding) };
            wire::Push { message: Some(message), ..Default::default() }
        }
    }
}

/// The goodbye over a transport without close frames.
pub(super) fn disconnect_push(frame: CloseFrame) -> wire::Reply {
    pushed(bare_disconnect(frame))
}

/// The same, not wrapped in a reply.
pub(super) fn bare_disconnect(frame: CloseFrame) -> wire::Push {
    let disconnect = DisconnectPush { code: frame.code.into(), reason: frame.reason.into_owned() };
    wire::Push { disconnect: Some(disconnect), ..Default::default() }
}

/// A publication, or news of a client, as its subscribers get it.
pub(super) fn publication_push(publication: &Publication, encoding: Encoding, form: Form) -> wire::Reply {
    pushed(bare_publication(publication, encoding, form))
}

/// The same, not wrapped in a reply.
pub(super) fn bare_publication(publication: &Publication, encoding: Encoding, form: Form) -> wire::Push {
    let mut push = wire::Push { channel: publication.channel.to_string(), ..Default::default() };
    let attributes = publication.attributes.as_deref();
    match attributes.and_then(|attributes| attributes.presence) {
        None => {
            // Without the epoch, which the answer to the subscribe told: a client that got another one here would come back
            // with it, and would not hear that the end of the former one was lost.
            push.publication = Some(self::publication(publication, form.data(publication, encoding)));
        }
        Some(change) => {
            let publisher = attributes.and_then(|attributes| attributes.publisher.as_ref());
            let presented = Presented { info: Some(publisher.map(client_info).unwrap_or_default()) };
            match change {
                PresenceChange::Joined => push.join = Some(presented),
                PresenceChange::Left => push.leave = Some(presented),
            }
        }
    }
    push
}

fn pushed(push: wire::Push) -> wire::Reply {
    wire::Reply { push: Some(push), ..Default::default() }
}

fn unsubscribe(reason: Unsubscribed) -> UnsubscribePush {
    // From 2500 on, SDKs subscribe again at once.
    let (code, reason) = match reason {
        Unsubscribed::ByServer => (2000, "server unsubscribe"),
        Unsubscribed::Interrupted => (2500, "insufficient state"),
        Unsubscribed::Expired => (2501, "subscription expired"),
    };
    UnsubscribePush { code, reason: reason.to_owned() }
}

pub(super) fn connect(connected: &Connected, encoding: Encoding) -> ConnectResult {
    let (expires, ttl) = expiry(connected.expires_in);
    let ping = if connected.ping_interval.is_zero() { 0 } else { seconds(connected.ping_interval) };
    let subs = connected.subscriptions.iter().map(|(channel, subscription)| Subscribed {
        channel: channel.to_string(),
        result: subscribe(subscription, encoding),
    });
    ConnectResult {
        client: connected.client.to_string(),
        version: VERSION.to_owned(),
        expires,
        ttl,
        data: some_data(connected.data.as_ref(), encoding),
        subs: subs.collect(),
        ping,
        pong: ping > 0,
        session: connected.fed_as.as_deref().unwrap_or_default().to_owned(),
        node: connected.fed_as.as_ref().map(|_| connected.client.node.to_string()).unwrap_or_default(),
    }
}

fn subscribe(subscription: &Subscription, encoding: Encoding) -> SubscribeResult {
    let (expires, ttl) = expiry(subscription.expires_in);
    let (epoch, offset) = epoch_and_offset(subscription.position);
    let is_kept = subscription.position.is_some();
    let result = SubscribeResult {
        expires,
        ttl,
        recoverable: is_kept,
        positioned: is_kept,
        epoch,
        offset,
        data: some_data(subscription.data.as_ref(), encoding),
        was_recovering: subscription.recovered.is_some(),
        delta: subscription.delta,
        ..Default::default()
    };
    match &subscription.recovered {
        // An SDK counts on from the client's own offset, publication by publication.
        Some(recovered) if recovered.is_whole => SubscribeResult {
            recovered: true,
            offset: recovered.since,
            publications: past(&recovered.publications, subscription.delta, encoding),
            ..result
        },
        _ => result,
    }
}

fn past(listed: &[Arc<Publication>], is_delta: bool, encoding: Encoding) -> Vec<wire::Publication> {
    if !is_delta {
        return publications(listed, encoding);
    }
    let said = listed.iter().zip(delta::recovered(listed, encoding));
    said.map(|(listed, data)| publication(listed, data)).collect()
}

fn history(top: Position, listed: &[Arc<Publication>], encoding: Encoding) -> HistoryResult {
    let (epoch, offset) = epoch_and_offset(Some(top));
    HistoryResult { publications: publications(listed, encoding), epoch, offset }
}

fn presence(entries: &[PresenceEntry]) -> PresenceResult {
    let infos = entries.iter().map(|entry| (entry.client.to_string(), client_info(entry)));
    PresenceResult { presence: infos.collect() }
}

fn presence_stats(stats: PresenceStats) -> PresenceStatsResult {
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    PresenceStatsResult { num_clients: number(stats.clients), num_users: number(stats.users) }
}

fn publications(publications: &[Arc<Publication>], encoding: Encoding) -> Vec<wire::Publication> {
    let said = publications.iter().map(|publication| {
        let data = Form::Plain.data(publication, encoding);
        self::publication(publication, data)
    });
    said.collect()
}

fn publication(publication: &Publication, data: Data) -> wire::Publication {
    let mut said = wire::Publication {
        data: data.bytes,
        delta: data.is_difference,
        offset: publication.position.map_or(0, |position| position.offset),
        ..Default::default()
    };
    if let Some(Attributes { event, tags, publisher, .. }) = publication.attributes.as_deref() {
        said.info = publisher.as_ref().map(client_info);
        said.tags.extend(tags.iter().cloned());
        said.tags.extend(event.iter().map(|event| (EVENT_TAG.to_owned(), event.clone())));
    }
    said
}

fn client_info(entry: &PresenceEntry) -> ClientInfo {
    let info = |info: &Option<Bytes>| info.clone().unwrap_or_default();
    ClientInfo {
        user: entry.user.clone().unwrap_or_default(),
        client: entry.client.to_string(),
        conn_info: info(&entry.client_info),
        chan_info: info(&entry.channel_info),
    }
}

fn epoch_and_offset(position: Option<Position>) -> (String, u64) {
    position.map_or_else(Default::default, |position| (position.epoch.to_string(), position.offset))
}

/// The data of the operator's backend; empty: none.
fn some_data(data: Option<&Payload>, encoding: Encoding) -> Bytes {
    data.map(|data| payload::outgoing(data, encoding)).unwrap_or_default()
}

/// `expires` and `ttl`.
fn expiry(expires_in: Option<Duration>) -> (bool, u32) {
    (expires_in.is_some(), expires_in.map_or(0, seconds))
}

/// Whole seconds, rounded up. At least one, since 0 says never.
fn seconds(duration: Duration) -> u32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    u32::try_from(whole.max(1)).unwrap_or(u32::MAX)
}
