//! What a client asks for, and what it is answered. Past a dialect's decoder there are no strings to compare.

use crate::{Channel, Payload, PublishError, SubscribeError};

/// The number by which a client knows the answer to its command; 0 where its dialect has none.
pub type RequestId = u32;

/// One thing a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Deliver what is published in a channel, from the moment of the answer on.
    Subscribe {
        /// Echoed in the reply.
        id: RequestId,
        /// Which channel.
        channel: Channel,
    },
    /// Deliver no more of it.
    Unsubscribe {
        /// Echoed in the reply.
        id: RequestId,
        /// Which channel.
        channel: Channel,
    },
    /// Publish to all subscribers on all nodes.
    Publish {
        /// Echoed in the reply.
        id: RequestId,
        /// Which channel.
        channel: Channel,
        /// What.
        payload: Payload,
    },
}

impl Command {
    /// The channel that it is about.
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
    /// The subscription stands: every publication the broker accepts from now on will come.
    Subscribed {
        /// Of the command.
        id: RequestId,
        /// Of the command.
        channel: Channel,
    },
    /// The subscription is gone, or never was.
    Unsubscribed {
        /// Of the command.
        id: RequestId,
        /// Of the command.
        channel: Channel,
    },
    /// The broker took the publication.
    Published {
        /// Of the command.
        id: RequestId,
    },
    /// The command was not carried out.
    Failed {
        /// Of the command.
        id: RequestId,
        /// Why.
        error: CommandError,
    },
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The broker did not take it, or nobody knows whether it did.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The broker did not confirm the subscription.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// The namespace does not let this client do it.
    #[error("this channel's namespace does not permit a client to {0}")]
    NotPermitted(Action),
    /// The namespace wants a token, and the client showed none.
    #[error("to {0} in this channel a client needs a token: connect with one")]
    NeedsToken(Action),
    /// The client's token does not grant the channel.
    #[error("the token does not grant this channel (its `channels` claim), so it cannot {0} there")]
    NotGranted(Action),
    /// The session is subscribed to that channel already.
    #[error("already subscribed to this channel")]
    AlreadySubscribed,
    /// The session holds as many channels as it may.
    #[error("a connection may hold at most {0} channels")]
    TooManyChannels(usize),
}

/// What a namespace permits or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To receive.
    Subscribe,
    /// To send.
    Publish,
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
        })
    }
}
