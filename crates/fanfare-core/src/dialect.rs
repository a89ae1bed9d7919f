//! The seam to what clients say.

use crate::{CloseFrame, Command, Disconnect, EncodingId, Message, Publication, Reply};

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

    /// How a client is asked for a sign of life.
    fn ping(&self) -> Ping;

    /// How the end of a session is said. `None`: the transport just ends.
    fn close(&self, disconnect: &Disconnect) -> Option<CloseFrame>;
}

/// What one session's messages mean. Owned by whoever reads its transport.
pub trait Decoder: Send {
    /// Appends what the message asks for.
    ///
    /// # Errors
    /// The disconnect that the session deserves for it. Commands appended before stand.
    fn decode(&mut self, message: Message, commands: &mut Vec<Command>) -> Result<(), Disconnect>;
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
