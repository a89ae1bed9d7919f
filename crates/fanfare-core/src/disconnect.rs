//! Why a session ended. The code that ends a session gives the reason; the dialect turns it into words and codes.

use std::{borrow::Cow, time::Duration};

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disconnect {
    /// The client closed, with this code, if it sent one.
    ByClient(Option<u16>),
    /// The connection broke, or ended without a close frame.
    Lost,
    /// The client broke the rules of its transport. Code and sentence are the transport's own.
    Protocol {
        /// For WebSocket a close code of RFC 6455 §7.4.1.
        code: u16,
        /// The rule that was broken, without text of the client.
        reason: Cow<'static, str>,
    },
    /// The client was not admitted, and is told why in a close frame, since a browser shows its page no other answer.
    /// Its session was not a connection, so this is neither counted nor logged as the end of one.
    TurnedAway(CloseFrame),
    /// The client sent a message larger than [`Limits::message_bytes`](crate::Limits::message_bytes).
    MessageTooBig {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A message of the client was not whole within [`Limits::message_time`](crate::Limits::message_time).
    MessageTooSlow {
        /// The limit.
        limit: Duration,
    },
    /// Unfinished or waiting messages of the client were dropped, since those of all clients passed
    /// [`Limits::incomplete_total_bytes`](crate::Limits::incomplete_total_bytes). They reached nobody.
    MessageGaveWay,
    /// The client sent more than a connection may.
    RateLimited(Rate),
    /// The client sent a message that its dialect does not know.
    BadRequest(Cow<'static, str>),
    /// A command was not permitted, and the dialect has no reply for it.
    NotPermitted(Cow<'static, str>),
    /// The broker refused a publish of this session: it reached nobody, and may be sent again.
    PublishRefused,
    /// It is not known whether a publish of this session was taken: it may still be delivered.
    PublishUnknown,
    /// The client did not read fast enough.
    Slow,
    /// The client's token expired.
    Expired,
    /// A subscription expired that the server had made for the client.
    SubscriptionExpired,
    /// A token that the client showed is not good, for this reason.
    BadToken(Cow<'static, str>),
    /// The client's token, or the operator's backend, names more channels for it than a connection may hold.
    TooManyChannels {
        /// The limit, see [`Limits::channels_per_connection`](crate::Limits::channels_per_connection).
        limit: usize,
    },
    /// The client did not say who it is within [`Limits::handshake`](crate::Limits::handshake).
    Stale,
    /// The client asked for what this server does not have.
    NotAvailable(Cow<'static, str>),
    /// The client cannot connect at this moment, for this reason, and the dialect has no reply for it.
    Unavailable(Cow<'static, str>),
    /// The client sent nothing after a ping.
    NoPong,
    /// No message came or went for the session's idle timeout.
    Idle,
    /// The broker was away, and the session may have missed publications. Its namespace asks to close it then.
    Interrupted,
    /// The node shuts down; another will take the client.
    Restart,
    /// The operator's backend ended the connection, with this code and sentence.
    ByServer(CloseFrame),
}

/// The limit of what a connection may send in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Frames, see [`Limits::frames_per_second`](crate::Limits::frames_per_second).
    Frames(usize),
    /// Bytes, see [`Limits::bytes_per_second`](crate::Limits::bytes_per_second).
    Bytes(usize),
}

impl Disconnect {
    /// One of each reason that a node can give, so that each can be counted from 0. Limits and sentences, which are not
    /// part of a label, are arbitrary.
    pub fn one_of_each() -> impl Iterator<Item = Self> {
        let protocol = |code| Self::Protocol { code, reason: Cow::default() };
        [
            Self::Lost,
            // RFC 6455 §7.4.1: a breach of the protocol; data that does not match its type. No other code is used.
            protocol(1002),
            protocol(1007),
            Self::MessageTooBig { limit: 0 },
            Self::MessageTooSlow { limit: Duration::ZERO },
            Self::MessageGaveWay,
            Self::RateLimited(Rate::Frames(0)),
            Self::BadRequest(Cow::default()),
            Self::NotPermitted(Cow::default()),
            Self::PublishRefused,
            Self::PublishUnknown,
            Self::Slow,
            Self::Expired,
            Self::SubscriptionExpired,
            Self::BadToken(Cow::default()),
            Self::TooManyChannels { limit: 0 },
            Self::Stale,
            Self::NotAvailable(Cow::default()),
            Self::Unavailable(Cow::default()),
            Self::NoPong,
            Self::Idle,
            Self::Interrupted,
            Self::Restart,
            Self::ByServer(CloseFrame::new(0, "")),
        ]
        .into_iter()
    }

    /// Whether the client is sent away through no fault of its own. What it sent before it saw the goodbye is still
    /// published.
    #[must_use]
    pub fn sends_away(&self) -> bool {
        matches!(self, Self::Idle | Self::Interrupted | Self::Restart)
    }

    /// The rule of the transport that the client broke, if it did. It quotes no text of the client.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Protocol { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// A word for it: a label in metrics and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ByClient(_) => "client",
            Self::Lost => "lost",
            Self::Protocol { .. } => "protocol",
            Self::TurnedAway(_) => "turned_away",
            Self::MessageTooBig { .. } => "message_too_big",
            Self::MessageTooSlow { .. } => "message_too_slow",
            Self::MessageGaveWay => "message_gave_way",
            Self::RateLimited(_) => "rate_limited",
            Self::BadRequest(_) => "bad_request",
            Self::NotPermitted(_) => "not_permitted",
            Self::PublishRefused => "publish_refused",
            Self::PublishUnknown => "publish_unknown",
            Self::Slow => "slow",
            Self::Expired => "expired",
            Self::SubscriptionExpired => "subscription_expired",
            Self::BadToken(_) => "bad_token",
            Self::TooManyChannels { .. } => "too_many_channels",
            Self::Stale => "stale",
            Self::NotAvailable(_) => "not_available",
            Self::Unavailable(_) => "unavailable",
            Self::NoPong => "no_pong",
            Self::Idle => "idle",
            Self::Interrupted => "interrupted",
            Self::Restart => "restart",
            Self::ByServer(_) => "server",
        }
    }
}

/// A [`Disconnect`] on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// A close code. The dialect knows which codes make a client reconnect.
    pub code: u16,
    /// One sentence; at most 123 bytes of it are sent (RFC 6455 §5.5.1).
    pub reason: Cow<'static, str>,
}

impl CloseFrame {
    /// A code and a sentence.
    #[must_use]
    pub fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a node gives this reason itself. A new variant does not compile before it is here and counted below.
    fn is_a_nodes_own(disconnect: &Disconnect) -> bool {
        match disconnect {
            Disconnect::ByClient(_) | Disconnect::TurnedAway(_) => false,
            Disconnect::Lost
            | Disconnect::Protocol { .. }
            | Disconnect::MessageTooBig { .. }
            | Disconnect::MessageTooSlow { .. }
            | Disconnect::MessageGaveWay
            | Disconnect::RateLimited(_)
            | Disconnect::BadRequest(_)
            | Disconnect::NotPermitted(_)
            | Disconnect::PublishRefused
            | Disconnect::PublishUnknown
            | Disconnect::Slow
            | Disconnect::Expired
            | Disconnect::SubscriptionExpired
            | Disconnect::BadToken(_)
            | Disconnect::TooManyChannels { .. }
            | Disconnect::Stale
            | Disconnect::NotAvailable(_)
            | Disconnect::Unavailable(_)
            | Disconnect::NoPong
            | Disconnect::Idle
            | Disconnect::Interrupted
            | Disconnect::Restart
            | Disconnect::ByServer(_) => true,
        }
    }

    /// The number of the variants for which [`is_a_nodes_own`] is true.
    const OWN: usize = 23;

    #[test]
    fn each_reason_of_a_node_is_listed() {
        let names: std::collections::HashSet<_> = Disconnect::one_of_each()
            .inspect(|disconnect| assert!(is_a_nodes_own(disconnect)))
            .map(|disconnect| disconnect.name())
            .collect();
        assert_eq!(names.len(), OWN);
    }
}
