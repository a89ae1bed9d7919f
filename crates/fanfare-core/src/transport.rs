//! The seam to a session's transport: its framing, and the sink of its bytes.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll},
};

use crate::{CloseFrame, FramingId, Message};

/// Frames messages, without I/O and without state: one value serves every session.
pub trait Transport: Send + Sync + 'static {
    /// The framing of [`Transport::frame`].
    fn framing(&self) -> FramingId;

    /// Appends one message.
    fn frame(&self, message: &Message, out: &mut Vec<u8>);

    /// Appends several messages, which the client gets in this order. A transport may join them here (as a list, or
    /// with separators). By default they are framed one after the other.
    fn frame_all(&self, messages: &[Message], out: &mut Vec<u8>) {
        messages.iter().for_each(|message| self.frame(message, out));
    }

    /// Appends a ping, if the transport has pings of its own.
    fn ping(&self, out: &mut Vec<u8>);

    /// Appends the answer to the client's ping, if the transport has pings of its own.
    fn pong(&self, payload: &[u8], out: &mut Vec<u8>);

    /// Appends a close frame, if the transport has close frames.
    fn close(&self, frame: &CloseFrame, out: &mut Vec<u8>);
}

/// The sink of a session's bytes: a socket, a stream, the body of a response.
///
/// A sink has one writer at a time: all bytes of a session pass one `Outbound` under one lock.
pub trait Sink: Send + Sync + 'static {
    /// Writes as much of the slices as the sink takes now. The number of bytes written.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]: the sink takes nothing now. Any other error: the sink is broken.
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ready when [`Sink::try_write`] is worth a try. Else the sink wakes the task then.
    ///
    /// # Errors
    /// The sink is broken.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether one write, taken whole, finishes the sink: the answer to a poll. The session then waits for its next
    /// transport.
    fn is_one_shot(&self) -> bool {
        false
    }

    /// No more bytes will come; the peer may still send.
    fn finish(&self);

    /// Ends both directions now. The transport's reader sees the end.
    fn abort(&self);
}
