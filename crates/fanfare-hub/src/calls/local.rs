//! Carries out a call on this node.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;

use fanfare_core::{
    Channel, ClientId, CloseFrame, Disconnect, Identity, Push, identity::SubscriptionTerms, wildcard::matches,
};
use futures_util::future::join_all;

use super::call::{Answer, Call, Connection, Refresh, Selection, Terms};
use crate::{
    delivery::{dispatcher::Dispatcher, shard::SessionById},
    ending::goodbye::Goodbyes,
    session::{
        identities::Identities, resuming::time_until, revoked::RevokedTokens, state::Session,
        subscriptions::Subscriptions,
    },
};

/// The most bytes of connections, about, that go into one answer: a control message is bounded.
const MAX_BYTES: usize = 32 << 10;

/// See the head of this file.
pub(crate) struct Local {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) goodbyes: Arc<Goodbyes>,
    pub(crate) identities: Arc<Identities>,
    pub(crate) revoked: Arc<RevokedTokens>,
}

impl Local {
    pub(super) async fn carry_out(&self, call: Call) -> Answer {
        match call {
            Call::Connections { of, after, limit } => self.connections(&of, after.as_deref(), limit),
            Call::Channels { pattern, limit } => self.channels(pattern.as_deref(), limit),
            Call::Subscribe { of, channel, terms } => self.subscribe(&of, &channel, *terms).await,
            Call::Unsubscribe { of, channel } => self.unsubscribe(&of, &channel),
            Call::Refresh { of, refresh } => self.refresh(&of, &refresh),
            Call::Disconnect { of, code, reason, except } => self.disconnect(&of, code, reason, &except),
            Call::Forget { channel } => {
                if let Ok(channel) = Channel::new(&channel) {
                    self.dispatcher.forget(&channel);
                }
                Answer::Done { clients: 0 }
            }
            Call::Revoked { tokens } => Answer::Done { clients: self.revoked.apply(&tokens.into()) },
        }
    }

    fn connections(&self, of: &Selection, after: Option<&str>, limit: usize) -> Answer {
        let after = after.and_then(|after| after.parse::<ClientId>().ok());
        let mut selected = self.select(of);
        selected.retain(|session| after.is_none_or(|after| self.client(session) > after));
        selected.sort_unstable_by_key(|session| session.id);
        let (mut connections, mut bytes) = (Vec::new(), 0);
        let all = selected.len();
        for session in selected {
            let connection = self.describe(&session);
            bytes += connection.bytes();
            if connections.len() == limit || (bytes > MAX_BYTES && !connections.is_empty()) {
                break;
            }
            connections.push(connection);
        }
        Answer::Connections { more: connections.len() < all, connections }
    }

    fn channels(&self, pattern: Option<&str>, limit: usize) -> Answer {
        let (mut channels, mut bytes, mut more) = (BTreeMap::new(), 0, false);
        for (channel, members) in self.dispatcher.channels() {
            if pattern.is_none_or(|pattern| matches(pattern, channel.as_str())) {
                channels.insert(channel.as_str().to_owned(), u64::from(members));
                bytes += channel.as_str().len() + 8;
            }
            while channels.len() > limit || bytes > MAX_BYTES {
                let Some((last, _)) = channels.pop_last() else { break };
                bytes -= last.len() + 8;
                more = true;
            }
        }
        Answer::Channels { channels, more }
    }

    async fn subscribe(&self, of: &Selection, channel: &str, terms: Terms) -> Answer {
        let Ok(channel) = Channel::new(channel) else { return Answer::Done { clients: 0 } };
        let (since, terms) = (terms.resume(), SubscriptionTerms::from(terms));
        let subscribing = self.select(of).into_iter().map(|session| {
            let (subscriptions, channel, terms) =
                (self.subscriptions.clone(), channel.clone(), terms.clone());
            // A task, because the caller may give its call up.
            tokio::spawn(
                async move { subscriptions.subscribe_by_call(&session, &channel, terms, since).await },
            )
        });
        let subscribed = join_all(subscribing).await;
        Answer::Done { clients: subscribed.iter().filter(|done| matches!(done, Ok(Ok(())))).count() as u64 }
    }

    fn unsubscribe(&self, of: &Selection, channel: &str) -> Answer {
        let is_meant = |joined: &Channel| channel.is_empty() || joined.as_str() == channel;
        let mut clients = 0;
        for session in self.select(of) {
            let mut meant = Vec::new();
            session.has_any(|joined| {
                meant.extend(is_meant(joined).then(|| joined.clone()));
                false
            });
            meant.iter().for_each(|channel| self.subscriptions.unsubscribe_by_server(&session, channel));
            clients += u64::from(!meant.is_empty());
        }
        Answer::Done { clients }
    }

    fn refresh(&self, of: &Selection, refresh: &Refresh) -> Answer {
        let selected = self.select(of);
        let refreshed = selected.iter().filter(|session| self.refresh_one(session, refresh));
        Answer::Done { clients: refreshed.count() as u64 }
    }

    /// Whether a session was refreshed, or ended. Its client is told, where its dialect has a word for it.
    fn refresh_one(&self, session: &Arc<Session>, refresh: &Refresh) -> bool {
        let ends = refresh.ends();
        let expires_in = ends.map(time_until);
        if refresh.is_expired || expires_in == Some(Duration::ZERO) {
            self.goodbyes.end(session, &Disconnect::Expired);
            return true;
        }
        let info = refresh.info.clone().map(Bytes::from);
        let has_identity = self.identities.change(session, ends, info);
        if has_identity {
            self.subscriptions.writer.push(session, &Push::Refreshed { expires_in });
        }
        has_identity
    }

    fn disconnect(&self, of: &Selection, code: u16, reason: String, except: &[String]) -> Answer {
        let mut selected = self.select(of);
        let stay: Vec<ClientId> = except.iter().filter_map(|client| client.parse().ok()).collect();
        selected.retain(|session| !stay.contains(&self.client(session)));
        let disconnect = Disconnect::ByServer(CloseFrame::new(code, reason));
        selected.iter().for_each(|session| self.goodbyes.end(session, &disconnect));
        Answer::Done { clients: selected.len() as u64 }
    }

    /// The connections of this node that a selection means.
    fn select(&self, of: &Selection) -> Vec<Arc<Session>> {
        let Selection { client, session: name, user, channel } = of;
        let mut sessions = match (client, channel) {
            (Some(client), _) => self.session(client).into_iter().collect(),
            (None, Some(channel)) => self.members(channel),
            (None, None) => self.dispatcher.sessions(),
        };
        sessions.retain(|session| {
            let has = |user: &str| session.identity().as_deref().and_then(Identity::subject) == Some(user);
            let is_in = |channel: &str| session.has_any(|joined| joined.as_str() == channel);
            let is_fed_as = |name: &str| session.fed_as().is_some_and(|own| *own == *name);
            session.is_connection()
                && name.as_deref().is_none_or(is_fed_as)
                && user.as_deref().is_none_or(has)
                && channel.as_deref().is_none_or(is_in)
        });
        sessions
    }

    fn session(&self, client: &str) -> Option<Arc<Session>> {
        let ClientId { node, session } = client.parse().ok()?;
        let (_, shard) = self.dispatcher.shard_for(session);
        shard.session(session).filter(|_| node == self.dispatcher.incarnation())
    }

    fn members(&self, channel: &str) -> Vec<Arc<Session>> {
        let Ok(channel) = Channel::new(channel) else { return Vec::new() };
        let members = self.dispatcher.shards().iter().filter_map(|shard| shard.members(&channel));
        members
            .flat_map(|members| {
                members.keys().map(|SessionById(session)| session.clone()).collect::<Vec<_>>()
            })
            .collect()
    }

    fn describe(&self, session: &Session) -> Connection {
        let mut channels = Vec::new();
        session.has_any(|channel| {
            channels.push(channel.as_str().to_owned());
            false
        });
        Connection {
            client: self.client(session).to_string(),
            user: session.identity().as_deref().and_then(Identity::subject).map(str::to_owned),
            address: session.address().map(|address| address.to_string()),
            seconds: session.traffic.lasted().unwrap_or_default().as_secs(),
            dialect: session.dialect().name().to_owned(),
            channels,
        }
    }

    fn client(&self, session: &Session) -> ClientId {
        ClientId { node: self.dispatcher.incarnation(), session: session.id }
    }
}

impl Connection {
    fn bytes(&self) -> usize {
        let channels: usize = self.channels.iter().map(|channel| channel.len() + 4).sum();
        channels + self.user.as_ref().map_or(0, String::len) + 128
    }
}
