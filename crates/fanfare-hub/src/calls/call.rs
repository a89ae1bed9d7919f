//! The calls and their answers, as they go from node to node, in JSON. A node ignores unknown fields.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use fanfare_core::{
    Payload, PayloadKind,
    command::{ResumeEpoch, ResumeFrom},
    identity::SubscriptionTerms,
    revocation::Tokens,
};
use serde::{Deserialize, Serialize};

/// A call about clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Call {
    /// The connections of some clients, ordered by client.
    Connections {
        /// The clients.
        of: Selection,
        /// The client behind which the page begins.
        after: Option<String>,
        /// The most connections of the answer.
        limit: usize,
    },
    /// The channels with a subscriber, by name.
    Channels {
        /// A name that may have `*` for any text; `None` for all.
        pattern: Option<String>,
        /// The most channels of the answer.
        limit: usize,
    },
    /// Subscribes clients to a channel.
    Subscribe {
        /// The clients.
        of: Selection,
        /// The channel.
        channel: String,
        /// The terms.
        #[serde(default)]
        terms: Box<Terms>,
    },
    /// Ends the subscriptions of clients to a channel.
    Unsubscribe {
        /// The clients.
        of: Selection,
        /// The channel; empty for all their channels.
        channel: String,
    },
    /// Changes how long the connections of clients may last, and what others learn of these clients.
    Refresh {
        /// The clients.
        of: Selection,
        /// The change.
        refresh: Refresh,
    },
    /// Ends the connections of clients.
    Disconnect {
        /// The clients.
        of: Selection,
        /// The close code.
        code: u16,
        /// The sentence of the close frame.
        reason: String,
        /// Clients that stay.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<String>,
    },
    /// Forgets what a node keeps of a channel whose history was removed.
    Forget {
        /// The channel.
        channel: String,
    },
    /// Ends the connections of revoked tokens. The broker keeps the revocation.
    Revoked {
        /// The tokens.
        tokens: RevokedTokens,
    },
}

/// The terms of [`Call::Subscribe`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Information about the subscription for other clients: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
    /// Data for the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// When the subscription ends, in seconds since 1970; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Whether the client hears of clients that join and leave.
    #[serde(default)]
    pub joins: bool,
    /// The place behind which the client gets the past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// A payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// A text.
    Text(String),
    /// JSON.
    Json(String),
    /// Bytes, in base64.
    Binary(String),
}

/// A place in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The offset.
    pub offset: u64,
    /// The epoch; empty for whichever.
    #[serde(default)]
    pub epoch: String,
}

impl From<&Payload> for Data {
    fn from(payload: &Payload) -> Self {
        let text = || String::from_utf8_lossy(payload.bytes()).into_owned();
        match payload.kind() {
            PayloadKind::Text => Self::Text(text()),
            PayloadKind::Json => Self::Json(text()),
            PayloadKind::Binary => Self::Binary(STANDARD.encode(payload.bytes())),
        }
    }
}

impl Data {
    fn payload(self) -> Option<Payload> {
        Some(match self {
            Self::Text(text) => Payload::text(text),
            Self::Json(json) => Payload::json(json),
            Self::Binary(encoded) => Payload::binary(STANDARD.decode(encoded).ok()?),
        })
    }
}

impl Terms {
    /// The place behind which a client gets the past.
    pub(crate) fn resume(&self) -> Option<ResumeFrom> {
        let Since { offset, epoch } = self.since.as_ref()?;
        let epoch = match epoch.as_str() {
            "" => ResumeEpoch::Any,
            epoch => epoch.parse().map_or(ResumeEpoch::Foreign, ResumeEpoch::Is),
        };
        Some(ResumeFrom { epoch, offset: *offset })
    }
}

impl From<Terms> for SubscriptionTerms {
    fn from(terms: Terms) -> Self {
        Self {
            info: terms.info.map(Bytes::from),
            data: terms.data.and_then(Data::payload),
            expires_at: terms.expires_at.map(at),
            joins: terms.joins,
            ..Self::default()
        }
    }
}

/// A time, from seconds since 1970.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.min(MAX_SECONDS))
}

/// The change of [`Call::Refresh`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// Whether the connections end now, as those whose tokens expired.
    #[serde(default)]
    pub is_expired: bool,
    /// When they end, in seconds since 1970; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Information about the clients for others: JSON. `None`: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
}

impl Refresh {
    /// When the connections end; `None`: never.
    pub(crate) fn ends(&self) -> Option<SystemTime> {
        self.expires_at.map(at)
    }
}

/// Tokens that were revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedTokens {
    /// Those of a user.
    OfUser {
        /// The user.
        user: String,
        /// The last moment of their issue, in seconds since 1970.
        issued_until: u64,
    },
    /// The token of this id.
    WithId(String),
}

impl From<RevokedTokens> for Tokens {
    fn from(tokens: RevokedTokens) -> Self {
        match tokens {
            RevokedTokens::OfUser { user, issued_until } => {
                Self::OfUser { user, issued_until: at(issued_until) }
            }
            RevokedTokens::WithId(id) => Self::WithId(id),
        }
    }
}

impl From<&Tokens> for RevokedTokens {
    fn from(tokens: &Tokens) -> Self {
        match tokens {
            Tokens::OfUser { user, issued_until } => {
                let issued_until = issued_until.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                Self::OfUser { user: user.clone(), issued_until }
            }
            Tokens::WithId(id) => Self::WithId(id.clone()),
        }
    }
}

/// The year 9999, in seconds since 1970: a later time would overflow on some systems.
const MAX_SECONDS: u64 = 253_402_300_799;

/// Some clients: those for which everything that is given is true. Without anything, all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// A client, as [`fanfare_core::ClientId`] prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The secret name of a session that requests feed, or that only listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The user of a client's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A channel to which a client is subscribed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// The answer of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Connections.
    Connections {
        /// The connections, ordered by client.
        connections: Vec<Connection>,
        /// Whether there are more behind them.
        more: bool,
    },
    /// Channels with the number of their subscribers.
    Channels {
        /// By name.
        channels: BTreeMap<String, u64>,
        /// Whether there are more.
        more: bool,
    },
    /// The number of clients for which the call was carried out.
    Done {
        /// The number.
        clients: u64,
    },
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The client.
    pub client: String,
    /// The user of its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The seconds since it was admitted.
    pub seconds: u64,
    /// Its protocol.
    pub dialect: String,
    /// Its channels.
    pub channels: Vec<String>,
}
