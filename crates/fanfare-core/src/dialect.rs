//! The seam to the protocols that clients speak.

use std::time::Duration;

use crate::{
    Channel, CloseFrame, Command, Disconnect, EncodingId, Message, Payload, Position, Publication, Reply,
};

/// A protocol that clients speak, without I/O and without state of its own: one value serves every session.
///
/// A session's own [`Decoder`] reads the client's messages.
pub trait Dialect: Send + Sync + 'static {
    /// The dialect's name in logs and metrics.
    fn name(&self) -> &'static str;

    /// The encoding of [`Dialect::publication`]. Two dialects of one encoding make the same bytes.
    fn encoding(&self) -> EncodingId;

    /// The message of a publication, the same for every subscriber. It may be news of a client that joined or left
    /// ([`Attributes::presence`](crate::Attributes::presence)), which reaches only subscribers that asked for joins.
    fn publication(&self, publication: &Publication) -> Message;

    /// The forms of the dialect for subscribers that get publications as differences; `None`: it has none.
    fn delta(&self) -> Option<DeltaForms> {
        None
    }

    /// The answer to a client's command.
    fn reply(&self, reply: &Reply) -> Answer;

    /// The name of the encoding for the operator's backend: `json` or `protobuf`.
    fn format(&self) -> &'static str {
        "json"
    }

    /// Whether subscribers are told who published: the session's publishes then carry its client
    /// ([`Attributes::publisher`](crate::Attributes::publisher)).
    fn names_publisher(&self) -> bool {
        false
    }

    /// Whether [`Dialect::publication`] makes a message of a [gap](Publication::gap). Its sessions are then told of a gap
    /// where it is, and stay.
    fn tells_gaps(&self) -> bool {
        false
    }

    /// The reads that count as a client's sign of life.
    fn liveness(&self) -> Liveness {
        Liveness::AnyRead
    }

    /// The ping that asks a client for a sign of life.
    fn ping(&self) -> Ping;

    /// The message of a push. `None`: the dialect cannot express it.
    fn push(&self, push: &Push) -> Option<Message> {
        let _ = push;
        None
    }

    /// The last words to a client whose session ends.
    fn goodbye(&self, disconnect: &Disconnect) -> Goodbye;
}

/// The forms of a dialect for subscribers that get publications as differences. Both make all messages of the dialect,
/// and differ from it only in publications.
#[derive(Clone, Copy)]
pub struct DeltaForms {
    /// For a subscriber that does not have the publication before: each publication is whole.
    pub full: &'static dyn Dialect,
    /// For a subscriber that has it: a publication is a difference to it ([`Publication::previous`]) where that is
    /// smaller, and else whole.
    pub patch: &'static dyn Dialect,
}

/// Reads the messages of one session. A session has a decoder of its own, which may keep state.
pub trait Decoder: Send {
    /// Appends the requests of a message, in their order.
    ///
    /// # Errors
    /// The message ends the session, with this disconnect. The requests appended before it stay valid.
    fn decode(&mut self, message: Message, requests: &mut Vec<Request>) -> Result<(), Disconnect>;
}

/// One request of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A command, which the hub carries out and answers.
    Command(Command),
    /// The decoder's own answer: to a ping of the dialect, or to a mistake that does not end the session.
    Answer(Message),
    /// The client's answer to a [`Ping::Message`]. A pong without a ping ends the session.
    Pong,
}

/// News for a client that did not ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// The server subscribed the session to a channel.
    Subscribed {
        /// The channel.
        channel: Channel,
        /// The position behind which the session gets all; `None` in a channel without history.
        position: Option<Position>,
        /// Data of the operator's backend for the client.
        data: Option<Payload>,
    },
    /// The session's subscription to a channel ended.
    Unsubscribed {
        /// The channel.
        channel: Channel,
        /// The reason.
        reason: Unsubscribed,
    },
    /// The operator's backend said how long the session may stay.
    Refreshed {
        /// The time until its client has to show a new token; `None`: it has not to.
        expires_in: Option<Duration>,
    },
    /// A message for this session alone.
    Message(Payload),
}

/// Why a subscription ended that its client did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsubscribed {
    /// The operator's backend ended it.
    ByServer,
    /// Publications may have been missed. The client may subscribe again, and go on from its position.
    Interrupted,
    /// The subscription's token expired. The client may subscribe again with a new one.
    Expired,
}

/// The last words to a client: a message, a close frame, both, or (the default) only the end of the transport.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Goodbye {
    /// Sent first.
    pub message: Option<Message>,
    /// Sent last, where the transport has close frames.
    pub frame: Option<CloseFrame>,
}

impl From<CloseFrame> for Goodbye {
    fn from(frame: CloseFrame) -> Self {
        Self { message: None, frame: Some(frame) }
    }
}

/// The reads that count as a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// Anything that is read from the client.
    AnyRead,
    /// Only the answer to a ping.
    Pong,
    /// That the transport takes what is sent: the client sends nothing, and answers no ping.
    AnyWrite,
}

/// A dialect's request for a sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ping {
    /// The transport's own ping.
    Transport,
    /// A message of the dialect.
    Message(Message),
}

/// A dialect's answer for a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The dialect has no answer for this reply.
    Nothing,
    /// The message to send.
    Send(Message),
    /// The dialect can answer only by ending the session.
    End(Disconnect),
}
