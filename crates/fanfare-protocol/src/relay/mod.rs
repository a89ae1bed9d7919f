//! The plain WebSocket that needs no library: one channel, given by the URL; every message is a publication,
//! relayed verbatim.
//!
//! It has no acknowledgements. What cannot be said in a message is said by ending the session, with a close code
//! and a sentence:
//!
//! | code | why |
//! |---|---|
//! | 1012 | the node restarts: reconnect, another takes over |
//! | 1013 | a publication was refused, or its outcome is unknown, or there was no memory for it, or the client did not read: the sentence says which |
//! | 4000 | no message came or went for the idle timeout |
//! | 4001 | the client's token expired |
//! | 4400, 4401, 4403, 4404 | the client was not let in (`browser_errors`): 4000 and the status that the handshake would have got |
//! | 1008 | the namespace does not permit it, the client sent too much in a second, or a message of it too slowly: the sentence says which |
//! | 1009 | a message was larger than the limit |
//! | others | RFC 6455's own, from the transport |

use fanfare_core::{
    Answer, Channel, CloseFrame, Command, CommandError, Decoder, Dialect, Disconnect, EncodingId, Goodbye,
    Message, PayloadKind, Ping, Publication, PublishError, Rate, Reply, Request,
};

use crate::encoding::VERBATIM;

/// RFC 6455 §7.4.1: a violation of policy.
const POLICY: u16 = 1008;
/// RFC 6455 §7.4.1: a message too big to process.
const TOO_BIG: u16 = 1009;
/// RFC 6455 §7.4.1: no code was given. It is never sent: it stands for an empty close frame.
const NO_CODE: u16 = 1005;
/// IANA's registry of close codes: the service restarts; try again later.
const SERVICE_RESTART: u16 = 1012;
const TRY_AGAIN_LATER: u16 = 1013;
/// A code that is free for applications: the idle timeout passed.
const IDLE: u16 = 4000;
/// A code that is free for applications: the token expired.
const EXPIRED: u16 = 4001;

/// The dialect; see the [module](self).
#[derive(Debug, Clone, Copy)]
pub struct Relay;

impl Dialect for Relay {
    fn name(&self) -> &'static str {
        "relay"
    }

    fn encoding(&self) -> EncodingId {
        VERBATIM
    }

    fn publication(&self, publication: &Publication) -> Message {
        let bytes = publication.payload.bytes().clone();
        match publication.payload.kind() {
            PayloadKind::Text | PayloadKind::Json => Message::Text(bytes),
            PayloadKind::Binary => Message::Binary(bytes),
        }
    }

    fn reply(&self, reply: &Reply) -> Answer {
        let Reply::Failed { error, .. } = reply else { return Answer::Nothing };
        Answer::End(match error {
            CommandError::Publish(PublishError::Refused(_) | PublishError::Forbidden(_)) => {
                Disconnect::PublishRefused
            }
            CommandError::Publish(PublishError::Unknown) => Disconnect::PublishUnknown,
            other => Disconnect::NotPermitted(other.to_string().into()),
        })
    }

    fn ping(&self) -> Ping {
        Ping::Transport
    }

    fn goodbye(&self, disconnect: &Disconnect) -> Goodbye {
        Goodbye { message: None, frame: close_frame(disconnect) }
    }
}

/// How the relay says the end of a session; `None`: the transport ends without a word.
pub(crate) fn close_frame(disconnect: &Disconnect) -> Option<CloseFrame> {
    Some(match disconnect {
        Disconnect::Lost | Disconnect::NoPong => return None,
        Disconnect::ByClient(code) => CloseFrame::new(code.unwrap_or(NO_CODE), ""),
        Disconnect::Protocol { code, reason } => CloseFrame::new(*code, reason.clone()),
        Disconnect::TurnedAway(frame) | Disconnect::ByServer(frame) => frame.clone(),
        Disconnect::BadRequest(reason)
        | Disconnect::NotPermitted(reason)
        | Disconnect::BadToken(reason)
        | Disconnect::NotAvailable(reason) => CloseFrame::new(POLICY, reason.clone()),
        Disconnect::MessageTooBig { limit } => CloseFrame::new(
            TOO_BIG,
            format!("the message is larger than the limit of {limit} bytes: send smaller ones"),
        ),
        Disconnect::MessageTooSlow { limit } => CloseFrame::new(
            POLICY,
            format!(
                "your message was not whole after {limit:?}: reconnect, and send smaller ones (limits.message_time)"
            ),
        ),
        Disconnect::MessageGaveWay => CloseFrame::new(
            TRY_AGAIN_LATER,
            "the node has no memory for what you sent last, it reached nobody: reconnect and send it again, in one go",
        ),
        Disconnect::RateLimited(Rate::Frames(limit)) => CloseFrame::new(
            POLICY,
            format!(
                "you sent more than {limit} frames in a second: reconnect, and send fewer (limits.frames_per_second)"
            ),
        ),
        Disconnect::RateLimited(Rate::Bytes(limit)) => CloseFrame::new(
            POLICY,
            format!(
                "you sent more than {limit} bytes in a second: reconnect, and send fewer (limits.bytes_per_second)"
            ),
        ),
        Disconnect::Unavailable(reason) => CloseFrame::new(TRY_AGAIN_LATER, reason.clone()),
        Disconnect::TooManyChannels { limit } => CloseFrame::new(
            POLICY,
            format!(
                "the token names more than {limit} channels: name fewer (limits.channels_per_connection)"
            ),
        ),
        Disconnect::PublishRefused => CloseFrame::new(
            TRY_AGAIN_LATER,
            "your message was refused, it reached nobody: reconnect and send it again",
        ),
        Disconnect::PublishUnknown => CloseFrame::new(
            TRY_AGAIN_LATER,
            "the outcome of your message is unknown, it may still be delivered: reconnect",
        ),
        Disconnect::Slow => {
            CloseFrame::new(TRY_AGAIN_LATER, "you did not read what was sent to you fast enough: reconnect")
        }
        Disconnect::Expired => CloseFrame::new(EXPIRED, "your token expired: reconnect with a new one"),
        Disconnect::SubscriptionExpired => {
            CloseFrame::new(EXPIRED, "the time of a subscription is over that the server had made: reconnect")
        }
        Disconnect::Stale => CloseFrame::new(POLICY, "you did not connect in time: reconnect"),
        Disconnect::Idle => {
            CloseFrame::new(IDLE, "no message came or went for too long: reconnect when you need it")
        }
        Disconnect::Interrupted => CloseFrame::new(
            SERVICE_RESTART,
            "messages may have been missed: reconnect, and load what you need",
        ),
        Disconnect::Restart => CloseFrame::new(SERVICE_RESTART, "this node restarts: reconnect"),
    })
}

/// Reads the messages of one session: each is a publication in the session's channel.
#[derive(Debug)]
pub struct RelayDecoder {
    channel: Channel,
}

impl RelayDecoder {
    /// A decoder for a session in `channel`.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self { channel }
    }
}

impl Decoder for RelayDecoder {
    fn decode(&mut self, message: Message, requests: &mut Vec<Request>) -> Result<(), Disconnect> {
        let publish = Command::Publish { id: 0, channel: self.channel.clone(), payload: message.into() };
        requests.push(Request::Command(publish));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use fanfare_core::Payload;

    use super::*;

    fn channel() -> Channel {
        Channel::new("chat").unwrap()
    }

    #[test]
    fn what_goes_in_comes_out() {
        let mut decoder = RelayDecoder::new(channel());
        let messages = [
            Message::Text(Bytes::from("räksmörgås")),
            Message::Text(Bytes::new()),
            Message::Binary(Bytes::from_static(b"\xff\x00")),
            Message::Binary(Bytes::new()),
        ];
        for message in messages {
            let mut requests = Vec::new();
            decoder.decode(message.clone(), &mut requests).unwrap();
            let [Request::Command(Command::Publish { channel, payload, .. })] = &requests[..] else {
                panic!("{requests:?}")
            };
            let publication = Publication::new(channel.clone(), payload.clone(), None);
            assert_eq!(Relay.publication(&publication), message);
        }
    }

    #[test]
    fn json_is_relayed_as_text_with_its_bytes() {
        let publication = Publication::new(channel(), Payload::json(r#"{"a" : 1}"#), None);
        assert_eq!(Relay.publication(&publication), Message::Text(Bytes::from(r#"{"a" : 1}"#)));
    }

    #[test]
    fn a_failed_publish_ends_with_its_close_code() {
        let close = |error: PublishError| {
            let answer = Relay.reply(&Reply::Failed { id: 0, error: error.into() });
            let Answer::End(disconnect) = answer else { panic!("{answer:?}") };
            Relay.goodbye(&disconnect).frame.unwrap()
        };
        let refused = close(PublishError::Refused("away".into()));
        let unknown = close(PublishError::Unknown);
        assert_eq!((refused.code, unknown.code), (1013, 1013));
        assert!(refused.reason.contains("refused") && unknown.reason.contains("unknown"));
        assert_eq!(Relay.reply(&Reply::Published { id: 0 }), Answer::Nothing);
    }

    #[test]
    fn every_sentence_fits_a_close_frame() {
        let disconnects = [
            Disconnect::MessageTooBig { limit: usize::MAX },
            Disconnect::MessageGaveWay,
            Disconnect::MessageTooSlow { limit: std::time::Duration::from_secs(86_400) },
            Disconnect::RateLimited(Rate::Frames(1_000_000)),
            Disconnect::RateLimited(Rate::Bytes(1 << 30)),
            Disconnect::PublishRefused,
            Disconnect::PublishUnknown,
            Disconnect::Slow,
            Disconnect::Idle,
            Disconnect::Expired,
            Disconnect::SubscriptionExpired,
            Disconnect::Interrupted,
            Disconnect::Restart,
            Disconnect::ByClient(Some(1000)),
        ];
        for disconnect in disconnects {
            assert!(Relay.goodbye(&disconnect).frame.unwrap().reason.len() <= 123, "{disconnect:?}");
        }
    }
}
