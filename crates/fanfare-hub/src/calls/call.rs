//! The calls and their answers, as they go from node to node, in JSON. A node ignores unknown fields.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fanfare_core::revocation::Tokens;

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
        self.expires_at.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds.min(MAX_SECONDS)))
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
            RevokedTokens::OfUser { user, issued_until } => Self::OfUser {
                user,
                issued_until: UNIX_EPOCH + Duration::from_secs(issued_until.min(MAX_SECONDS)),
            },
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
