//! One small task that only reads: bytes to frames, and frames to the session's [`Inbound`].
//!
//! Invariants
//! - The task has no timer and no queue. It reads into a buffer that all connections of a thread share. It keeps bytes
//!   only while a frame is incomplete, or while bytes that it read have to wait: at most one buffer.
//! - The task reads and decodes nothing before [`Inbound::poll_ready`]. After one `Turn`, other connections get theirs.
//! - Once the session has ended, the task goes on until the client answers the goodbye or its time is over: a socket
//!   closed with unread bytes would reset the connection, and the goodbye could be lost. Until then the messages of a
//!   client that was sent away are carried out ([`Inbound::is_open`]), since it had not heard of the goodbye. All other
//!   frames are skipped, a turn at a time with a rest behind each, and none is kept.
//! - The hub knows of every message that came in part or has to wait. So none is kept for ever, and their sum is
//!   bounded ([`Inbound::buffers`]).

mod incoming;
mod turn;

use std::{
    cell::RefCell,
    mem::take,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use fanfare_core::{Disconnect, Message};
use fanfare_hub::{Buffered, Inbound, Next, Receiving};
use fanfare_websocket::{Config, Event, ProtocolError, Role};
use tokio::{
    io::ReadBuf,
    time::{Sleep, sleep},
};

use self::{incoming::Incoming, turn::Turn};
use super::socket::SocketReader;

/// The bytes of one read, at most.
const READ_BYTES: usize = 64 << 10;

/// The rest between two turns of a client whose session has ended: its frames are skipped at 50,000 a second, or 6 MB/s
/// where they are large.
const REST: Duration = Duration::from_millis(10);

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// The reading side of a WebSocket connection. The future ends when the client is gone.
///
/// It is written by hand, for its size: an `async fn` would keep the state of every step beside the connection's own.
pub(crate) struct Connection<R = SocketReader> {
    /// Dropped before the session lets go of its transport.
    read: R,
    inbound: Inbound,
    frames: fanfare_websocket::Decoder,
    /// `None` for an idle connection.
    waits: Option<Box<Waits>>,
    deflate: bool,
}

/// The work before the next read.
#[derive(Default)]
struct Waits {
    /// Waited for before anything else.
    rest: Option<Pin<Box<Sleep>>>,
    /// Bytes that were read and not decoded yet.
    unread: BytesMut,
}

impl<R: Incoming> Connection<R> {
    /// A connection whose client sent `early` right behind its handshake. `deflate`: permessage-deflate was negotiated.
    pub(crate) fn new(inbound: Inbound, read: R, deflate: bool, early: &[u8]) -> Self {
        let frames = fanfare_websocket::Decoder::new();
        let mut connection = Self { read, inbound, frames, waits: None, deflate };
        if !early.is_empty() {
            connection.inbound.came(early.len());
            connection.keep(early);
        }
        connection
    }

    /// Reads and decodes for one turn. Ready when the client is gone.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.inbound.is_buffering() && !self.inbound.is_open() {
            // The decoder drops what it holds.
            let _ = self.skip(&mut [], &mut Turn::new());
        }
        let mut turn = Turn::new();
        loop {
            if ready!(self.poll_step(cx, &mut turn)).is_break() {
                return Poll::Ready(());
            }
            if !turn.is_over() {
                continue;
            }
            if self.inbound.is_open() {
                return turn::step_back(cx);
            }
            turn = Turn::new();
            self.waits.get_or_insert_default().rest.get_or_insert_with(|| Box::pin(sleep(REST)));
        }
    }

    /// The next step: waits, or decodes bytes that were read, or reads. Breaks when the client is gone.
    fn poll_step(&mut self, cx: &mut Context<'_>, turn: &mut Turn) -> Poll<ControlFlow<()>> {
        if let Some(rest) = self.waits.as_mut().and_then(|waits| waits.rest.as_mut()) {
            ready!(rest.as_mut().poll(cx));
            self.leave(|waits| waits.rest = None);
        }
        if ready!(self.inbound.poll_ready(cx)).is_break() {
            return Poll::Ready(ControlFlow::Break(()));
        }
        let Some(waits) = &mut self.waits else { return self.poll_read(cx, turn) };
        let mut unread = take(&mut waits.unread);
        let Taken { bytes, flow } = self.take(&mut unread, turn);
        unread.advance(bytes);
        self.leave(|waits| waits.unread = unread);
        Poll::Ready(flow)
    }

    /// Reads once.
    fn poll_read(&mut self, cx: &mut Context<'_>, turn: &mut Turn) -> Poll<ControlFlow<()>> {
        READ.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            let polled = Pin::new(&mut self.read).poll_read(cx, &mut read);
            if polled.is_pending() && self.read.came_in_part() {
                self.inbound.heard();
            }
            let result = ready!(polled);
            if result.is_ok() && !read.filled().is_empty() {
                self.inbound.came(read.filled().len());
                turn.read(read.filled().len());
                let Taken { bytes, flow } = self.take(read.filled_mut(), turn);
                self.keep(read.filled().get(bytes..).unwrap_or_default());
                return Poll::Ready(flow);
            }
            if let Err(error) = result {
                tracing::debug!(session = self.inbound.session().id().0, %error, "read failed");
            }
            self.inbound.end(&Disconnect::Lost);
            Poll::Ready(ControlFlow::Break(()))
        })
    }

    /// Decodes bytes that were read. The number of bytes that were used; the rest waits for the session, for the turns
    /// of other connections, or for a command.
    fn take(&mut self, input: &mut [u8], turn: &mut Turn) -> Taken {
        if !self.inbound.is_open() {
            return self.skip(input, turn);
        }
        let config = self.config();
        let Self { inbound, frames, .. } = self;
        let bytes = inbound.receive(|receiving| {
            let fed = frames.feed(input, &config, |event| {
                turn.frame(&event);
                match hand_over(event, receiving) {
                    Next::Accepted if !turn.is_over() => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            });
            fed.unwrap_or_else(|error| {
                let _ = receiving.end(broken_rule(&error));
                input.len()
            })
        });
        Taken { bytes, flow: ControlFlow::Continue(()) }
    }

    /// Skips frames up to the client's answer to our goodbye. Then both have said goodbye, and the socket may close.
    fn skip(&mut self, input: &mut [u8], turn: &mut Turn) -> Taken {
        let config = self.config();
        let Ok(skipped) = self.frames.skip(input, &config, turn.frames()) else {
            // Behind an error no answer can be found: all bytes are skipped.
            return Taken { bytes: input.len(), flow: ControlFlow::Continue(()) };
        };
        turn.passed_over(skipped.frames);
        let flow = if skipped.is_closed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        Taken { bytes: skipped.bytes, flow }
    }

    fn config(&self) -> Config {
        let max_message = self.inbound.message_bytes();
        Config { role: Role::Server, max_message, deflate: self.deflate }
    }

    fn keep(&mut self, unread: &[u8]) {
        if !unread.is_empty() {
            self.waits.get_or_insert_default().unread = unread.into();
        }
    }

    /// Changes what the connection waits for, and frees the memory once it waits for nothing.
    fn leave(&mut self, change: impl FnOnce(&mut Waits)) {
        let waits = self.waits.get_or_insert_default();
        change(waits);
        if waits.rest.is_none() && waits.unread.is_empty() {
            self.waits = None;
        }
    }

    /// Tells the hub how many bytes are held until more come. The hub wakes the reader where the session has to end.
    fn tell(&mut self, reader: &Waker) {
        let (part, has_begun) = (self.read.part(), self.frames.has_begun());
        let unread = self.waits.as_ref().map_or(0, |waits| waits.unread.capacity());
        let bytes = self.frames.held() + unread + part.map_or(0, |part| part.bytes);
        // A record that came in part is as old as the message in it, if any. The client cannot finish bytes that have
        // to wait.
        let is_new = has_begun || !self.frames.is_mid_message() && part.is_none_or(|part| part.is_new);
        self.inbound.buffers(Buffered { bytes, is_new }, reader);
    }
}

/// The number of bytes that were used. Breaks when the client is gone.
struct Taken {
    bytes: usize,
    flow: ControlFlow<()>,
}

/// Hands the contents of one frame to the session.
fn hand_over(event: Event, receiving: &mut Receiving<'_>) -> Next {
    if receiving.frame() == Next::Ended {
        return Next::Ended;
    }
    match event {
        Event::Text(bytes) => return receiving.message(Message::Text(bytes)),
        Event::Binary(bytes) => return receiving.message(Message::Binary(bytes)),
        Event::Ping(payload) => receiving.ping(payload),
        Event::Pong(_) => receiving.pong(),
        Event::Fragment => {}
        Event::Close(frame) => {
            return receiving.end(Disconnect::ByClient(frame.map(|frame| frame.code.get())));
        }
    }
    Next::Accepted
}

fn broken_rule(error: &ProtocolError) -> Disconnect {
    match *error {
        ProtocolError::MessageTooBig { limit } => Disconnect::MessageTooBig { limit },
        _ => Disconnect::Protocol { code: error.close_code().get(), reason: error.to_string().into() },
    }
}

impl<R: Incoming> Future for Connection<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let polled = this.poll_turn(cx);
        match polled {
            Poll::Ready(()) => this.inbound.buffers_nothing(),
            Poll::Pending => this.tell(cx.waker()),
        }
        polled
    }
}

#[cfg(test)]
mod tests;
