//! One small task that only reads: bytes to frames, and frames to the session's [`Inbound`].
//!
//! Invariants
//! - It has no timer and no queue: it reads into a buffer that all connections of a thread share, and keeps bytes only
//!   while a frame is incomplete, or while what it read has to wait: at most one buffer.
//! - Nothing is read or decoded before [`Inbound::poll_ready`], and after one `Turn` the others get theirs.
//! - Once the session has ended it goes on until the client answers the goodbye or its time is over: a socket closed
//!   with unread bytes would reset the connection, and the goodbye could be lost. What comes until then is carried out
//!   where the client was sent away ([`Inbound::is_open`]), for it had not heard of it; else it is passed over, a turn
//!   at a time with a rest behind each, and nothing of it is kept.
//! - The hub knows of everything that came in part or has to wait, so that nothing is kept for ever, and not too much
//!   in all ([`Inbound::buffers`]).

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
    net::tcp::OwnedReadHalf,
    time::{Sleep, sleep},
};

use self::{incoming::Incoming, turn::Turn};

/// What one read can bring.
const READ_BYTES: usize = 64 << 10;

/// Between two turns of a client whose session has ended: what it still sends is passed over at 50,000 frames a second,
/// or 6 MB/s where they are large.
const REST: Duration = Duration::from_millis(10);

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// A WebSocket connection's reading side; the future ends when the client is gone.
///
/// Written by hand, for its size: an `async fn` would keep every step's state beside the connection's own.
pub(crate) struct Connection<R = OwnedReadHalf> {
    /// Dropped before the session's transport is let go of.
    read: R,
    inbound: Inbound,
    frames: fanfare_websocket::Decoder,
    /// What an idle connection does not have.
    waits: Option<Box<Waits>>,
    deflate: bool,
}

/// What keeps a connection from reading.
#[derive(Default)]
struct Waits {
    /// Before anything else.
    rest: Option<Pin<Box<Sleep>>>,
    /// Then this: it was read, and not decoded yet.
    unread: BytesMut,
}

impl<R: Incoming> Connection<R> {
    /// A connection whose client sent `early` right behind its handshake. `deflate`: it was negotiated.
    pub(crate) fn new(inbound: Inbound, read: R, deflate: bool, early: &[u8]) -> Self {
        let frames = fanfare_websocket::Decoder::new();
        let mut connection = Self { read, inbound, frames, waits: None, deflate };
        if !early.is_empty() {
            connection.inbound.came(early.len());
            connection.keep(early);
        }
        connection
    }

    /// Reads and decodes for one turn, when there is something; ready when the client is gone.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.inbound.is_buffering() && !self.inbound.is_open() {
            // Drops what it holds.
            let _ = self.pass_over(&mut [], &mut Turn::new());
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

    /// What is first: waits, or decodes what was read, or reads. Breaks when the client is gone.
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

    /// Decodes what was read: how much of it. The rest has to wait for the session, for the others' turns, or for what
    /// was begun.
    fn take(&mut self, input: &mut [u8], turn: &mut Turn) -> Taken {
        if !self.inbound.is_open() {
            return self.pass_over(input, turn);
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

    /// Looks for nothing but the client's answer to our goodbye: then both have said it, and the socket may close.
    fn pass_over(&mut self, input: &mut [u8], turn: &mut Turn) -> Taken {
        let config = self.config();
        let Ok(skipped) = self.frames.skip(input, &config, turn.frames()) else {
            // Past an error no answer can be found: all is taken.
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

    /// Changes what it waits for, and forgets that where it is nothing any more.
    fn leave(&mut self, change: impl FnOnce(&mut Waits)) {
        let waits = self.waits.get_or_insert_default();
        change(waits);
        if waits.rest.is_none() && waits.unread.is_empty() {
            self.waits = None;
        }
    }

    /// Tells the hub what is held until more comes, or it may go on: it wakes the reader where that has to end.
    fn tell(&mut self, reader: &Waker) {
        let (part, has_begun) = (self.read.part(), self.frames.has_begun());
        let unread = self.waits.as_ref().map_or(0, |waits| waits.unread.capacity());
        let bytes = self.frames.held() + unread + part.map_or(0, |part| part.bytes);
        // A record that came in part is as old as the message that it brings, where there is one. What has to wait is
        // not the client's to finish.
        let is_new = has_begun || !self.frames.is_mid_message() && part.is_none_or(|part| part.is_new);
        self.inbound.buffers(Buffered { bytes, is_new }, reader);
    }
}

/// How much of an input was taken. It breaks when the client is gone.
struct Taken {
    bytes: usize,
    flow: ControlFlow<()>,
}

/// Hands over what one frame brought.
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
