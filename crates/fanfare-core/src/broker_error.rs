//! Why a broker did not take a publish, or a subscription.

/// Why a publish was not taken, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Not one byte of it was written to the broker, or the broker answered that it did not take it. It reached nobody
    /// and may be sent again. A later publish of its [`PublishOrder`](crate::broker::PublishOrder) may be taken, where
    /// it was written already.
    #[error("the message broker did not take it: {0}")]
    Refused(String),
    /// The broker's own rules forbid publishing on this channel. It reached nobody, and a retry does not help.
    #[error("the message broker does not permit this node to publish on this channel: {0}")]
    Forbidden(String),
    /// It was written, and the connection ended before the answer. It may still be delivered. It is not repeated by us
    /// any more.
    #[error(
        "the connection to the message broker ended before it answered: the message may still be delivered"
    )]
    Unknown,
}

/// Why a channel is not subscribed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The broker cannot be reached, or did not confirm in time. A retry may help.
    #[error("the message broker did not confirm the subscription in time")]
    Unavailable,
    /// Too many subscriptions wait for confirmation. A retry may help.
    #[error("too many subscriptions wait for the message broker")]
    Busy,
    /// The broker's own rules forbid this channel, and a retry does not help. Other channels may be permitted.
    #[error("the message broker does not permit this node to subscribe to this channel: {0}")]
    Forbidden(String),
    /// The broker lets this node subscribe to nothing: a configuration is wrong.
    #[error("the message broker does not let this node in: {0}")]
    Misconfigured(String),
}
