//! Why a session ended: said once, by whoever ends it, and put into words and codes by its dialect.

use std::{borrow::Cow, time::Duration};

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disconnect {
    /// The client said goodbye, with the code it gave, if it gave one.
    ByClient(Option<u16>),
    /// The connection broke, or ended without a goodbye.
    Lost,
    /// The client broke the rules of its transport; code and sentence are the transport's own.
    Protocol {
        /// For WebSocket a close code of RFC 6455 §7.4.1.
        code: u16,
        /// The rule that was broken, without a word of the client's.
        reason: Cow<'static, str>,
    },
    /// The client sent a message larger than [`Limits::message_bytes`](crate::Limits::message_bytes).
    MessageTooBig {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A message of the client's was not whole in time, see [`Limits::message_time`](crate::Limits::message_time).
    MessageTooSlow {
        /// The limit.
        limit: Duration,
    },
    /// What the client had not finished, or had to wait, gave way to that of others, see
    /// [`Limits::incomplete_total_bytes`](crate::Limits::incomplete_total_bytes). It reached nobody.
    MessageGaveWay,
    /// The client sent more than its connection may.
    RateLimited(Rate),
    /// The client sent what its dialect does not know.
    BadRequest(Cow<'static, str>),
    /// A command was not permitted, and the dialect has no other way to say so.
    NotPermitted(Cow<'static, str>),
    /// A publication of this session was refused by the broker: it reached nobody, and may be sent again.
    PublishRefused,
    /// Nobody knows whether a publication of this session was taken: it may still be delivered.
    PublishUnknown,
    /// The client did not read what was sent to it.
    Slow,
    /// The client's token ended.
    Expired,
    /// The client showed no sign of life after a ping.
    NoPong,
    /// No message came or went for the session's idle timeout.
    Idle,
    /// The broker was away, and the session may have missed publications; its namespace asks to say so.
    Interrupted,
    /// The node is going away; another will take the client.
    Restart,
}

/// What a connection may send in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// So many frames, see [`Limits::frames_per_second`](crate::Limits::frames_per_second).
    Frames(usize),
    /// So many bytes, see [`Limits::bytes_per_second`](crate::Limits::bytes_per_second).
    Bytes(usize),
}

impl Disconnect {
    /// One of each that a node can say of itself, so that each can be counted from 0. Of limits and sentences, which are
    /// no part of a label, any.
    pub fn one_of_each() -> impl Iterator<Item = Self> {
        let protocol = |code| Self::Protocol { code, reason: Cow::default() };
        [
            Self::Lost,
            // RFC 6455 §7.4.1: a breach of the protocol; data that is not what its type says. Others have no code of
            // their own here.
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
            Self::NoPong,
            Self::Idle,
            Self::Interrupted,
            Self::Restart,
        ]
        .into_iter()
    }

    /// Whether the client is sent away through no fault of its own: what it sent before it heard of it is still
    /// published.
    #[must_use]
    pub fn sends_away(&self) -> bool {
        matches!(self, Self::Idle | Self::Interrupted | Self::Restart)
    }

    /// The rule of the transport that the client broke, if it did. It quotes nothing that the client sent.
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
            Self::NoPong => "no_pong",
            Self::Idle => "idle",
            Self::Interrupted => "interrupted",
            Self::Restart => "restart",
        }
    }
}

/// How a [`Disconnect`] is said on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// A close code. Which of them make a client come back is for its dialect to know.
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
