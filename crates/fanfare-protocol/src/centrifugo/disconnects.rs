//! Ends of connections as close frames say them; the table stands in the [module](super).
//!
//! Invariant: the reason is not empty, but in the answer to the client's own close frame. An SDK heeds a code only where a
//! reason comes with it: without one it connects again, whatever the code.

use std::borrow::Cow;

use fanfare_core::{CloseFrame, Disconnect, Rate};

/// RFC 6455 §7.4.1: a message too big to process. SDKs do not connect again.
const TOO_BIG: u16 = 1009;
/// RFC 6455 §7.4.1: no code was given. It is never sent: it stands for an empty close frame.
const NO_CODE: u16 = 1005;

// Codes after which SDKs connect again.
const CLOSED: u16 = 3000;
const SHUTDOWN: u16 = 3001;
pub(super) const INTERNAL: u16 = 3004;
const EXPIRED: u16 = 3005;
const SUBSCRIPTION_EXPIRED: u16 = 3006;
const SLOW: u16 = 3008;
const INSUFFICIENT_STATE: u16 = 3010;
const NO_PONG: u16 = 3012;
pub(super) const TOO_MANY_REQUESTS: u16 = 3013;

// Codes after which SDKs give up.
const INVALID_TOKEN: u16 = 3500;
const BAD_REQUEST: u16 = 3501;
const STALE: u16 = 3502;
const CHANNEL_LIMIT: u16 = 3505;
const PERMISSION_DENIED: u16 = 3507;
const NOT_AVAILABLE: u16 = 3508;

/// The close frame of a disconnect; `None`: the client is gone, and nobody reads it.
pub(super) fn close_frame(disconnect: &Disconnect) -> Option<CloseFrame> {
    let (code, reason) = match disconnect {
        Disconnect::Lost => return None,
        Disconnect::ByClient(code) => (code.unwrap_or(NO_CODE), "".into()),
        Disconnect::TurnedAway(frame) | Disconnect::ByServer(frame) => {
            (frame.code, or(&frame.reason, "disconnected by the server"))
        }
        Disconnect::Protocol { code, reason } => (*code, or(reason, "protocol error")),
        Disconnect::BadToken(reason) => (INVALID_TOKEN, or(reason, "invalid token")),
        Disconnect::BadRequest(reason) => (BAD_REQUEST, or(reason, "bad request")),
        Disconnect::NotPermitted(reason) => (PERMISSION_DENIED, or(reason, "permission denied")),
        Disconnect::NotAvailable(reason) => (NOT_AVAILABLE, or(reason, "not available")),
        Disconnect::Unavailable(reason) => (INTERNAL, or(reason, "internal server error")),
        Disconnect::MessageTooBig { .. }
        | Disconnect::TooManyChannels { .. }
        | Disconnect::MessageTooSlow { .. }
        | Disconnect::MessageGaveWay
        | Disconnect::RateLimited(_) => of_limit(disconnect)?,
        Disconnect::PublishRefused => {
            (INTERNAL, "your message was refused, it reached nobody: send it again".into())
        }
        Disconnect::PublishUnknown => {
            (INTERNAL, "the outcome of your message is unknown, it may still be delivered".into())
        }
        Disconnect::Slow => (SLOW, "you did not read what was sent to you fast enough".into()),
        Disconnect::Expired => (EXPIRED, "your token expired: reconnect with a new one".into()),
        Disconnect::SubscriptionExpired => {
            (SUBSCRIPTION_EXPIRED, "the time of a subscription is over that the server had made".into())
        }
        Disconnect::Stale => (STALE, "you did not connect in time".into()),
        Disconnect::NoPong => (NO_PONG, "no pong came after a ping".into()),
        Disconnect::Idle => (CLOSED, "no message came or went for too long".into()),
        Disconnect::Interrupted => {
            (INSUFFICIENT_STATE, "messages may have been missed: reconnect, and load what you need".into())
        }
        Disconnect::Restart => (SHUTDOWN, "this node restarts: reconnect".into()),
    };
    Some(CloseFrame { code, reason })
}

/// The end of a client that passed a limit.
fn of_limit(disconnect: &Disconnect) -> Option<(u16, Cow<'static, str>)> {
    let (code, reason) = match disconnect {
        Disconnect::MessageTooBig { limit } => {
            (TOO_BIG, format!("the message is larger than the limit of {limit} bytes: send smaller ones"))
        }
        Disconnect::MessageTooSlow { limit } => (
            TOO_MANY_REQUESTS,
            format!("your message was not whole after {limit:?}: send smaller ones (limits.message_time)"),
        ),
        Disconnect::MessageGaveWay => (
            TOO_MANY_REQUESTS,
            "the node has no memory for what you sent last, it reached nobody: send it again, in one go"
                .into(),
        ),
        Disconnect::RateLimited(Rate::Frames(limit)) => (
            TOO_MANY_REQUESTS,
            format!("you sent more than {limit} frames in a second: send fewer (limits.frames_per_second)"),
        ),
        Disconnect::RateLimited(Rate::Bytes(limit)) => (
            TOO_MANY_REQUESTS,
            format!("you sent more than {limit} bytes in a second: send fewer (limits.bytes_per_second)"),
        ),
        Disconnect::TooManyChannels { limit } => (
            CHANNEL_LIMIT,
            format!(
                "the token, or the backend, names more than {limit} channels: name fewer (limits.channels_per_connection)"
            ),
        ),
        _ => return None,
    };
    Some((code, reason.into()))
}

/// A reason, or where it is empty these words.
fn or(reason: &str, words: &'static str) -> Cow<'static, str> {
    if reason.is_empty() { words.into() } else { reason.to_owned().into() }
}
