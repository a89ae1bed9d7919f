//! The commands of clients, and the replies. Behind a dialect's decoder a command is a type, not a string.

use crate::{Channel, Payload, Position, PublishError, SubscribeError};

/// The number by which a client knows the answer to its command; 0 in a dialect without such numbers.
pub type RequestId = u32;

/// One command of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Deliver a channel's publications, from the answer on.
    Subscribe {
        /// Echoed in the reply.
        id: RequestId,
        /// The channel.
        channel: Channel,
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
}

impl Command {
    /// The channel of the command.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        match self {
            Self::Subscribe { channel, .. }
            | Self::Unsubscribe { channel, .. }
            | Self::Publish { channel, .. } => channel,
        }
    }
}

/// The answer to one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The session is subscribed: it gets every publication that the broker accepts from now on.
    Subscribed {
        /// The command's number.
        id: RequestId,
        /// The command's channel.
        channel: Channel,
        /// The position behind which the session gets all; `None` in a channel without history.
        position: Option<Position>,
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
    /// The command was not carried out.
    Failed {
        /// The command's number.
        id: RequestId,
        /// The reason.
        error: CommandError,
    },
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
    /// The namespace demands a token, and the client did not show one.
    #[error("to {0} in this channel a client needs a token: connect with one")]
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
    /// The session has as many channels as it may.
    #[error("a connection may hold at most {0} channels")]
    TooManyChannels(usize),
}

/// An action in a channel, which its namespace permits or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To receive its publications.
    Subscribe,
    /// To publish in it.
    Publish,
    /// To read its history.
    ReadHistory,
    /// To see the clients in it.
    SeePresence,
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::ReadHistory => "read the history",
            Self::SeePresence => "see who is present",
        })
    }
}
