//! Carries out a call on this node.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;

use fanfare_core::{Channel, ClientId, CloseFrame, Disconnect, Identity, Push};

use super::call::{Answer, Call, Connection, Refresh, Selection};
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
            Call::Subscribe { of, channel } => self.subscribe(&of, &channel).await,
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

    async fn subscribe(&self, of: &Selection, channel: &str) -> Answer {
        let Ok(channel) = Channel::new(channel) else { return Answer::Done { clients: 0 } };
        let mut clients = 0;
        for session in self.select(of) {
            let subscribed = self.subscriptions.subscribe_by_server(&session, &channel).await;
            clients += u64::from(subscribed.is_ok());
        }
        Answer::Done { clients }
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

/// Whether a name fits a pattern, in which `*` stands for any text. In time that is the product of both lengths at most.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("*", "chat:1", true),
            ("chat:*", "chat:1", true),
            ("chat:*", "chat", false),
            ("*:1", "chat:1", true),
            ("c*:*1", "chat:11", true),
            ("c*t:*2", "chat:11", false),
            ("chat:1", "chat:1", true),
            ("chat:1", "chat:12", false),
            ("a*a", "a", false),
            ("**", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
