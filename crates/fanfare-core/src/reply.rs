//! The replies to the commands of clients.

use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{
    Action, Channel, ClientId, Payload, Position, Publication, PublishError, SubscribeError,
    command::RequestId,
    hooks::HookError,
    presence::{PresenceEntry, PresenceStats},
};

/// The answer to one command.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The session is subscribed: it gets every publication that the broker accepts from now on.
    Subscribed {
        /// The command's number.
        id: RequestId,
        /// The command's channel.
        channel: Channel,
        /// The news of its subscription for the client.
        subscription: Subscription,
    },
    /// The session is not subscribed, or not any longer.
    Unsubscribed {
        /// The command's number.
        id: RequestId,
        /// The command's channel.
        channel: Channel,
    },
    /// The broker accepted the publication.
    Published {
        /// The command's number.
        id: RequestId,
    },
    /// The client is known.
    Connected(Box<Connected>),
    /// A part of a channel's history.
    History {
        /// The command's number.
        id: RequestId,
        /// The newest position of the channel.
        top: Position,
        /// The publications, in the order that the client asked for.
        publications: Vec<Arc<Publication>>,
    },
    /// The clients in a channel.
    Presence {
        /// The command's number.
        id: RequestId,
        /// The clients.
        entries: Vec<PresenceEntry>,
    },
    /// The number of clients in a channel.
    PresenceStats {
        /// The command's number.
        id: RequestId,
        /// The numbers.
        stats: PresenceStats,
    },
    /// The backend's answer to a call.
    Rpc {
        /// The command's number.
        id: RequestId,
        /// The data of the answer.
        data: Option<Payload>,
    },
    /// The connection's new token is good.
    Refreshed {
        /// The command's number.
        id: RequestId,
        /// The client.
        client: ClientId,
        /// The time until it expires; `None`: it does not.
        expires_in: Option<Duration>,
    },
    /// The subscription's new token is good.
    SubscriptionRefreshed {
        /// The command's number.
        id: RequestId,
        /// The time until it expires; `None`: it does not.
        expires_in: Option<Duration>,
    },
    /// The command was not carried out.
    Failed {
        /// The command's number.
        id: RequestId,
        /// The reason.
        error: CommandError,
    },
}

/// The parts of [`Reply::Connected`].
#[derive(Debug, Clone)]
pub struct Connected {
    /// The command's number.
    pub id: RequestId,
    /// The client.
    pub client: ClientId,
    /// The time until the client's token expires; `None`: it does not.
    pub expires_in: Option<Duration>,
    /// The time between the server's pings.
    pub ping_interval: Duration,
    /// The channels to which the server subscribed the client.
    pub subscriptions: Vec<(Channel, Subscription)>,
    /// The secret name by which the client's requests feed its session; `None`: it sends over its transport.
    pub fed_as: Option<Arc<str>>,
    /// Data of the operator's backend for the client.
    pub data: Option<Payload>,
}

/// The news of a subscription for its client.
#[derive(Debug, Clone, Default)]
pub struct Subscription {
    /// The position behind which the session gets all; `None` in a channel without history. Where the client recovered
    /// the past, the past begins behind the position that the client named, and ends here.
    pub position: Option<Position>,
    /// `None`: the client did not ask for the past.
    pub recovered: Option<Recovered>,
    /// Whether the client gets publications as differences.
    pub delta: bool,
    /// The time until the subscription's token expires; `None`: it does not.
    pub expires_in: Option<Duration>,
    /// Data of the operator's backend for the client.
    pub data: Option<Payload>,
}

/// The past that a client asked for.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// Whether it is whole: nothing is missing between the place that the client named and the position of the
    /// [`Subscription`], or the client has the newest publication where it gets only that.
    pub is_whole: bool,
    /// The offset that the client named, or the newest one where the client gets only the newest publication.
    pub since: u64,
    /// The publications of the past, in order. A past that is not whole has none.
    pub publications: Vec<Arc<Publication>>,
}

/// The reason why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The broker refused the publication, or its answer is unknown.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The broker did not confirm the subscription.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// The namespace does not permit the action to this client.
    #[error("this channel's namespace does not permit a client to {0}")]
    NotPermitted(Action),
    /// The channel's name says whose it is, and the client is another user.
    #[error(
        "only the users behind the last `#` of this channel's name may subscribe: show a token whose `sub` is one of them"
    )]
    OtherUsers,
    /// The namespace demands a token, and the client did not show one.
    #[error("to {0} in this channel a client needs a token: show one")]
    NeedsToken(Action),
    /// The namespace demands a subscription, and the client has none.
    #[error("to {0} in this channel a client has to be subscribed to it")]
    NeedsSubscription(Action),
    /// The client's token does not grant the channel.
    #[error("the token does not grant this channel (its `channels` claim), so it cannot {0} there")]
    NotGranted(Action),
    /// The session is subscribed to the channel already.
    #[error("already subscribed to this channel")]
    AlreadySubscribed,
    /// The client has no token, and needs one to connect.
    #[error("to connect, a client needs a token: get one, and connect with it")]
    NeedsTokenToConnect,
    /// A token of the connection or of a subscription has expired.
    #[error("the token expired: get a new one")]
    TokenExpired,
    /// The token of a subscription is not good, or is for another channel, client or user.
    #[error("the subscription's token is not good: {0}")]
    BadToken(Cow<'static, str>),
    /// The namespace keeps no history, or tracks no presence.
    #[error("this channel's namespace does not have {0}: set {1} in its configuration")]
    NotAvailable(&'static str, &'static str),
    /// The named position is not in the history, or not any longer.
    #[error(
        "the history does not reach back to this position: load what you need, and read without a position"
    )]
    Unrecoverable,
    /// The name of the channel does not match this pattern of its namespace.
    #[error("this channel's name does not match {0}, the `channel_regex` of its namespace")]
    ImproperName(String),
    /// The command contradicts itself.
    #[error("{0}")]
    BadRequest(&'static str),
    /// The history or the presence cannot be read at this moment.
    #[error("{0}: try again")]
    Unavailable(String),
    /// The operator's backend refused the command, with an error of its own.
    #[error(transparent)]
    Backend(#[from] HookError),
    /// The operator's backend takes no calls.
    #[error("this server answers no remote procedure calls: publish, or call your backend")]
    NoCalls,
    /// The session has as many channels as it may.
    #[error("a connection may hold at most {0} channels")]
    TooManyChannels(usize),
}
