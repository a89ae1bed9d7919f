//! The commands of clients. Behind a dialect's decoder a command is a type, not a string.

use std::{fmt, sync::Arc};

use crate::{Channel, Epoch, Payload, TagFilter};

/// The number by which a client knows the answer to its command; 0 in a dialect without such numbers.
pub type RequestId = u32;

/// One command of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Say who the client is. In a dialect with this command it comes first, and once.
    Connect(Box<Connect>),
    /// Deliver a channel's publications, from the answer on.
    Subscribe {
        /// Echoed in the reply.
        id: RequestId,
        /// The channel.
        channel: Channel,
        /// The options of a dialect with richer subscriptions.
        options: Option<Box<SubscribeOptions>>,
    },
    /// End the delivery of a channel's publications.
    Unsubscribe {
        /// Echoed in the reply.
        id: RequestId,
        /// The channel.
        channel: Channel,
    },
    /// Publish to all subscribers on all nodes.
    Publish {
        /// Echoed in the reply.
        id: RequestId,
        /// The channel.
        channel: Channel,
        /// The content of the publication.
        payload: Payload,
    },
    /// Read what a channel keeps.
    History {
        /// Echoed in the reply.
        id: RequestId,
        /// The channel.
        channel: Channel,
        /// The part that is read.
        query: HistoryQuery,
    },
    /// List the clients in a channel.
    Presence {
        /// Echoed in the reply.
        id: RequestId,
        /// The channel.
        channel: Channel,
    },
    /// Count the clients in a channel.
    PresenceStats {
        /// Echoed in the reply.
        id: RequestId,
        /// The channel.
        channel: Channel,
    },
    /// Call the operator's backend.
    Rpc {
        /// Echoed in the reply.
        id: RequestId,
        /// The name of the call.
        method: String,
        /// The data of the call.
        data: Option<Payload>,
    },
    /// Show a new token before the one of the connection expires.
    Refresh {
        /// Echoed in the reply.
        id: RequestId,
        /// The new token.
        token: ClientToken,
    },
    /// Show a new token before the one of a subscription expires.
    RefreshSubscription {
        /// Echoed in the reply.
        id: RequestId,
        /// The channel.
        channel: Channel,
        /// The new token.
        token: ClientToken,
    },
}

/// The parts of [`Command::Connect`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connect {
    /// Echoed in the reply.
    pub id: RequestId,
    /// The client's token. `None`: the client has none, or has shown it in its handshake.
    pub token: Option<ClientToken>,
    /// The positions that the client has of channels to which the server subscribes it.
    pub resume: Vec<(Channel, ResumeFrom)>,
    /// Data for the operator's backend.
    pub data: Option<Payload>,
    /// The name of the client's program.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The options of [`Command::Subscribe`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// A token for this channel.
    pub token: Option<ClientToken>,
    /// Where the client wants to go on. `None`: from now on.
    pub resume: Option<ResumeFrom>,
    /// Whether the subscribe fails where the past cannot be had as a whole. Else the client is told.
    pub must_resume: bool,
    /// Whether the client wants to hear of clients that join and leave.
    pub joins: bool,
    /// The publications that the client gets; `None`: all.
    pub filter: Option<Arc<TagFilter>>,
    /// Whether the client wants publications as differences, where the channel has them.
    pub delta: bool,
    /// Data for the operator's backend.
    pub data: Option<Payload>,
}

/// A place in the history of a channel, as a client names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeFrom {
    /// The life of the history.
    pub epoch: ResumeEpoch,
    /// The last offset that the client has.
    pub offset: u64,
}

/// The epoch of a [`ResumeFrom`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumeEpoch {
    /// The client does not know any.
    Any,
    /// This one.
    Is(Epoch),
    /// A text that no history of this server has as its epoch.
    Foreign,
}

/// The part of a history that [`Command::History`] reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The place behind which the part begins; read in reverse, the place before which it begins. `None`: at the
    /// oldest; read in reverse, at the newest.
    pub since: Option<ResumeFrom>,
    /// The most publications; `Some(0)`: the position only; `None`: as many as the server allows.
    pub limit: Option<u32>,
    /// Whether the newest come first.
    pub reverse: bool,
}

/// A token that a client showed. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientToken(String);

impl ClientToken {
    /// A token.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// Its text, to be verified.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientToken(***)")
    }
}

impl Command {
    /// The channel of the command; `None` for a command about the connection.
    #[must_use]
    pub fn channel(&self) -> Option<&Channel> {
        match self {
            Self::Connect(_) | Self::Rpc { .. } | Self::Refresh { .. } => None,
            Self::Subscribe { channel, .. }
            | Self::Unsubscribe { channel, .. }
            | Self::Publish { channel, .. }
            | Self::History { channel, .. }
            | Self::Presence { channel, .. }
            | Self::PresenceStats { channel, .. }
            | Self::RefreshSubscription { channel, .. } => Some(channel),
        }
    }

    /// The number by which the client knows the answer.
    #[must_use]
    pub fn id(&self) -> RequestId {
        match self {
            Self::Connect(connect) => connect.id,
            Self::Subscribe { id, .. }
            | Self::Unsubscribe { id, .. }
            | Self::Publish { id, .. }
            | Self::History { id, .. }
            | Self::Presence { id, .. }
            | Self::PresenceStats { id, .. }
            | Self::Rpc { id, .. }
            | Self::Refresh { id, .. }
            | Self::RefreshSubscription { id, .. } => *id,
        }
    }
}
