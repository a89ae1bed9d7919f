//! What a broker did not do, and why.

/// What became of a publish that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Not one byte of it was written to the broker, or the broker answered that it did not take it: it
    /// reached nobody and may be sent again. A later one of its [`PublishOrder`](crate::broker::PublishOrder) may be taken, where it was written already.
    #[error("the message broker did not take it: {0}")]
    Refused(String),
    /// The broker's own rules forbid to publish on this channel: it reached nobody, and no retry mends that.
    #[error("the message broker does not permit this node to publish on this channel: {0}")]
    Forbidden(String),
    /// It was written, and the connection ended before the answer: it may still be delivered. It is never
    /// repeated by us.
    #[error(
        "the connection to the message broker ended before it answered: the message may still be delivered"
    )]
    Unknown,
}

/// Why a subscription does not stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The broker cannot be reached, or did not confirm in time. Worth a retry.
    #[error("the message broker did not confirm the subscription in time")]
    Unavailable,
    /// As many subscriptions wait for confirmation as may. Worth a retry.
    #[error("too many subscriptions wait for the message broker")]
    Busy,
    /// The broker's own rules forbid this channel, and no retry mends that. Others may be permitted.
    #[error("the message broker does not permit this node to subscribe to this channel: {0}")]
    Forbidden(String),
    /// The broker lets this node subscribe to nothing: a mistake in somebody's configuration.
    #[error("the message broker does not let this node in: {0}")]
    Misconfigured(String),
}
