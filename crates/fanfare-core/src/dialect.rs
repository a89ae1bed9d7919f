//! The seam to what clients say.

use crate::{Channel, CloseFrame, Command, Disconnect, EncodingId, Message, Payload, Publication, Reply};

/// A protocol that clients speak, without I/O and without state of its own: one value serves every session.
///
/// What arrives is a session's own business, see [`Decoder`].
pub trait Dialect: Send + Sync + 'static {
    /// Its name in logs and metrics.
    fn name(&self) -> &'static str;

    /// Names what [`Dialect::publication`] makes. Two dialects of one encoding make the same bytes.
    fn encoding(&self) -> EncodingId;

    /// One publication, the same for every subscriber.
    fn publication(&self, publication: &Publication) -> Message;

    /// What a client is told of its command.
    fn reply(&self, reply: &Reply) -> Answer;

    /// What counts as a client's sign of life.
    fn liveness(&self) -> Liveness {
        Liveness::AnyRead
    }

    /// How a client is asked for a sign of life.
    fn ping(&self) -> Ping;

    /// What the client is told without having asked. `None`: the dialect has no word for it.
    fn push(&self, push: &Push) -> Option<Message> {
        let _ = push;
        None
    }

    /// How the end of a session is said.
    fn goodbye(&self, disconnect: &Disconnect) -> Goodbye;
}

/// What one session's messages mean. One session has one decoder, which may keep state.
pub trait Decoder: Send {
    /// Appends the requests of a message, in their order.
    ///
    /// # Errors
    /// The disconnect that the session deserves for the message. Requests appended before stand.
    fn decode(&mut self, message: Message, requests: &mut Vec<Request>) -> Result<(), Disconnect>;
}

/// One thing that a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A command, which the hub carries out and answers.
    Command(Command),
    /// The decoder's own answer: to a ping of the dialect, or to a message with a mistake that costs nothing more.
    Answer(Message),
    /// The client's answer to a [`Ping::Message`]. Without a ping that waits for it, the session ends.
    Pong,
}

/// What a client is told without having asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// The server subscribed the session to a channel.
    Subscribed(Channel),
    /// The server ended the session's subscription to a channel.
    Unsubscribed(Channel),
    /// A message for this session alone.
    Message(Payload),
}

/// How the end of a session is said: by a message, a close frame, both, or (the default) the end of the transport alone.
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

/// What counts as a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// Anything that is read from the client.
    AnyRead,
    /// The answer to a ping alone.
    Pong,
}

/// How a dialect asks for a sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ping {
    /// With the transport's own ping.
    Transport,
    /// With a message.
    Message(Message),
}

/// What a dialect makes of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The dialect has no word for it.
    Nothing,
    /// Send this.
    Send(Message),
    /// It can only be said by ending the session.
    End(Disconnect),
}
