//! The seam to what carries a session's messages: how they are framed, and where the bytes go.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll},
};

use crate::{CloseFrame, FramingId, Message};

/// Frames messages, without I/O and without state: one value serves every session.
pub trait Transport: Send + Sync + 'static {
    /// Names what [`Transport::frame`] makes.
    fn framing(&self) -> FramingId;

    /// Appends one message.
    fn frame(&self, message: &Message, out: &mut Vec<u8>);

    /// Appends several messages, which the client gets in this order. A transport that joins messages (into a list, or
    /// behind a separator) does it here; the others frame one after the other.
    fn frame_all(&self, messages: &[Message], out: &mut Vec<u8>) {
        messages.iter().for_each(|message| self.frame(message, out));
    }

    /// Appends a ping, where the transport has pings of its own.
    fn ping(&self, out: &mut Vec<u8>);

    /// Appends the answer to the client's ping, where the transport has pings of its own.
    fn pong(&self, payload: &[u8], out: &mut Vec<u8>);

    /// Appends the goodbye, where the transport has one.
    fn close(&self, frame: &CloseFrame, out: &mut Vec<u8>);
}

/// Where a session's bytes go: a socket, a stream, the body of a response.
///
/// Used by one writer at a time: all bytes of a session pass one `Outbound` under one lock.
pub trait Sink: Send + Sync + 'static {
    /// Writes what it can of the slices, at once.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where it can take nothing now; any other means that it is broken.
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ready when [`Sink::try_write`] is worth a try; else the task is woken once it is.
    ///
    /// # Errors
    /// The sink is broken.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether the sink takes one write, whole, and is finished by it: the answer to a poll. The session then waits for
    /// its next transport.
    fn is_one_shot(&self) -> bool {
        false
    }

    /// No more bytes will come; the peer may still send.
    fn finish(&self);

    /// Ends both directions now; whoever reads the transport sees its end.
    fn abort(&self);
}
