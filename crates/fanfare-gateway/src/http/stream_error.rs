//! Why a request of a stream, or for one, is refused.

use std::time::Duration;

use fanfare_core::CursorError;
use http::StatusCode;

/// See the head of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StreamError {
    /// The path takes other methods.
    #[error("this path takes {0} only")]
    Method(&'static str),
    /// A stream is asked for without a connect command.
    #[error("the connect command is missing: send it in the query, as cf_connect, or POST it")]
    NoConnect,
    /// The body is too large.
    #[error("the request is larger than the limit of {0} bytes: send smaller ones (limits.message_bytes)")]
    TooLarge(usize),
    /// The body did not come in time.
    #[error("the body of the request did not come within {0:?} (limits.handshake)")]
    Slow(Duration),
    /// The body did not come whole.
    #[error("the body of the request did not come whole")]
    Incomplete,
    /// The body does not carry commands.
    #[error("the body is not `session`, `node` and `data`, as an SDK sends them")]
    NotEmulation,
    /// A channel is missing.
    #[error(
        "the channel is missing: name it as `?channel=a`, several as `?channel=a&channel=b`, or in the `channels` of a body"
    )]
    NoChannel,
    /// A stream of more channels than a connection may have.
    #[error(
        "a stream may have at most {0} channels (limits.channels_per_connection): open another for the others"
    )]
    TooManyChannels(usize),
    /// A cursor cannot tell two channels apart.
    #[error("two of these channels have names that a cursor does not tell apart: open a stream for each")]
    Alike,
    /// The cursor is not good.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The body does not name channels.
    #[error(
        "the body is not what this path takes, an object with `channels`, and perhaps `cursor` and `last`"
    )]
    NotChannels,
    /// A poll of a channel without history.
    #[error(
        "a poll would lose messages of a channel without history: set history_size in its [[namespace]], or use /sse, \
         /stream or /ws"
    )]
    NotKept,
    /// The time that a poll waits is not good.
    #[error("timeout must be a number of seconds from 0 to {0}")]
    Timeout(u64),
    /// No node of the cluster has this name.
    #[error("the node of this session is not there any more: connect again")]
    UnknownNode,
}

impl StreamError {
    /// The status of the answer.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoConnect
            | Self::Incomplete
            | Self::NotEmulation
            | Self::NoChannel
            | Self::TooManyChannels(_)
            | Self::Alike
            | Self::Cursor(_)
            | Self::NotChannels
            | Self::NotKept
            | Self::Timeout(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::UnknownNode => StatusCode::NOT_FOUND,
        }
    }
}
