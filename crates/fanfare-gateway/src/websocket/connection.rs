//! One small task that only reads: bytes to messages to commands.
//!
//! Invariants
//! - It has no timer and no queue: it reads into a buffer that all connections of a thread share, and keeps bytes only
//!   while a frame is incomplete, or while what it read has to wait: at most one buffer.
//! - Nothing is read or decoded unless the session may publish more
//!   ([`Inbound::poll_may_publish`](fanfare_hub::Inbound::poll_may_publish)).
//! - After one `Turn` the others get theirs.
//! - Once the session has ended it goes on until the client answers the goodbye or its time is over: a socket closed
//!   with unread bytes would reset the connection, and the goodbye could be lost. What comes until then is carried out
//!   where the client was sent away ([`Session::is_listened_to`]), for it had not heard of it; else it is passed over,
//!   a turn at a time with a rest behind each, and nothing of it is kept.
//! - The hub knows of everything that came in part or has to wait, so that nothing is kept for ever, and not too much
//!   in all ([`Inbound::buffers`](fanfare_hub::Inbound::buffers)).
//! - The pongs for one turn go out in one write: a flood of pings costs a write per turn, not one per ping.

mod commands;
mod incoming;
mod turn;

use std::{
    cell::RefCell,
    mem::take,
    ops::{ControlFlow, Deref},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use bytes::{Buf, BytesMut};
use fanfare_core::{Command, Decoder, Disconnect};
use fanfare_hub::{Buffered, Hub, Session, Traffic};
use fanfare_websocket::{Config, Event, ProtocolError, Role};
use tokio::{io::ReadBuf, net::tcp::OwnedReadHalf, time::sleep};

use self::{
    commands::{carry_out, publish, take_frame},
    incoming::Incoming,
    turn::Turn,
};
use super::rate_limits::RateLimits;

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
    hub: Arc<Hub>,
    /// Dropped before the session is let go of.
    read: R,
    session: Reading,
    frames: fanfare_websocket::Decoder,
    dialect: Box<dyn Decoder>,
    /// What an idle connection does not have.
    waits: Option<Box<Waits>>,
    /// What the client may send, where that is limited.
    rates: Option<Box<RateLimits>>,
    deflate: bool,
    /// The hub knows that something is held.
    is_told: bool,
}

/// What keeps a connection from reading.
#[derive(Default)]
struct Waits {
    /// Before anything else: breaks when nothing more is read.
    first: Option<Wait>,
    /// Then this: it was read, and not decoded yet.
    rest: BytesMut,
}

type Wait = Pin<Box<dyn Future<Output = ControlFlow<()>> + Send>>;

/// The session of the socket that is read. It keeps what the socket is held by until that is read no more.
struct Reading(Arc<Session>);

impl Deref for Reading {
    type Target = Arc<Session>;

    fn deref(&self) -> &Arc<Session> {
        &self.0
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

impl<R: Incoming> Connection<R> {
    /// A connection whose client sent `early` right behind its handshake. `deflate`: it was negotiated.
    pub(crate) fn new(
        hub: Arc<Hub>,
        session: Arc<Session>,
        read: R,
        dialect: Box<dyn Decoder>,
        deflate: bool,
        early: &[u8],
    ) -> Self {
        let frames = fanfare_websocket::Decoder::new();
        let rates = RateLimits::new(&hub.settings.limits(), hub.inbound.now(&session));
        let session = Reading(session);
        let mut connection =
            Self { hub, read, session, frames, dialect, waits: None, rates, deflate, is_told: false };
        if !early.is_empty() {
            connection.came(early.len());
            connection.keep(early);
        }
        connection
    }

    /// Reads and decodes for one turn, when there is something; ready when the client is gone.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_told && !self.session.is_listened_to() {
            self.pass_over(&mut [], &mut Turn::new());
        }
        let mut turn = Turn::new();
        loop {
            if ready!(self.poll_step(cx, &mut turn)).is_break() {
                return Poll::Ready(());
            }
            if !turn.is_over() {
                continue;
            }
            if self.session.is_listened_to() {
                return turn::step_back(cx);
            }
            turn = Turn::new();
            if !self.is_waiting() {
                self.wait_for(async {
                    sleep(REST).await;
                    ControlFlow::Continue(())
                });
            }
        }
    }

    /// What is first: waits, or decodes what was read, or reads. Breaks when the client is gone.
    fn poll_step(&mut self, cx: &mut Context<'_>, turn: &mut Turn) -> Poll<ControlFlow<()>> {
        if let Some(wait) = self.waits.as_mut().and_then(|waits| waits.first.as_mut()) {
            let flow = ready!(wait.as_mut().poll(cx));
            self.leave(|waits| waits.first = None);
            return Poll::Ready(flow);
        }
        if self.hub.inbound.poll_may_publish(&self.session, cx).is_pending() {
            self.pause();
            return Poll::Pending;
        }
        let Some(waits) = &mut self.waits else { return self.poll_read(cx, turn) };
        let mut rest = take(&mut waits.rest);
        let taken = self.take(&mut rest, turn);
        rest.advance(taken);
        self.leave(|waits| waits.rest = rest);
        Poll::Ready(ControlFlow::Continue(()))
    }

    /// Reads once.
    fn poll_read(&mut self, cx: &mut Context<'_>, turn: &mut Turn) -> Poll<ControlFlow<()>> {
        READ.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            let polled = Pin::new(&mut self.read).poll_read(cx, &mut read);
            if polled.is_pending() && self.read.came_in_part() {
                self.hub.inbound.heard(&self.session);
            }
            let result = ready!(polled);
            if result.is_ok() && !read.filled().is_empty() {
                self.came(read.filled().len());
                turn.read(read.filled().len());
                let taken = self.take(read.filled_mut(), turn);
                self.keep(read.filled().get(taken..).unwrap_or_default());
                return Poll::Ready(ControlFlow::Continue(()));
            }
            if let Err(error) = result {
                tracing::debug!(session = self.session.id().0, %error, "read failed");
            }
            self.hub.goodbyes.end(&self.session, &Disconnect::Lost);
            Poll::Ready(ControlFlow::Break(()))
        })
    }

    /// So many bytes came; where they are too many the session ends.
    fn came(&mut self, bytes: usize) {
        self.hub.inbound.heard(&self.session);
        self.received(Traffic { messages: 0, bytes: bytes as u64 });
        if let Some(rates) = &mut self.rates
            && let Err(rate) = rates.read(bytes, Instant::now(), self.hub.inbound.now(&self.session))
        {
            self.hub.goodbyes.end(&self.session, &Disconnect::RateLimited(rate));
        }
    }

    /// Decodes what was read, and carries it out: how much of it. The rest has to wait for the session's room, for the
    /// others' turns, or for what was begun.
    fn take(&mut self, input: &mut [u8], turn: &mut Turn) -> usize {
        if !self.session.is_listened_to() {
            return self.pass_over(input, turn);
        }
        let hub = self.hub.clone();
        hub.publisher.gather(|| self.decode(input, turn))
    }

    /// Looks for nothing but the client's answer to our goodbye: then both have said it, and the socket may close.
    fn pass_over(&mut self, input: &mut [u8], turn: &mut Turn) -> usize {
        let config = self.config();
        // Past an error no answer can be found: all is taken.
        let Ok(skipped) = self.frames.skip(input, &config, turn.frames()) else { return input.len() };
        turn.passed_over(skipped.frames);
        if skipped.is_closed {
            self.wait_for(std::future::ready(ControlFlow::Break(())));
        }
        skipped.bytes
    }

    fn received(&self, traffic: Traffic) {
        self.hub.inbound.received(&self.session, traffic);
    }

    fn config(&self) -> Config {
        let max_message = self.hub.settings.message_bytes();
        Config { role: Role::Server, max_message, deflate: self.deflate }
    }

    /// Does what the bytes ask for, up to the first command that has to be waited for.
    fn decode(&mut self, input: &mut [u8], turn: &mut Turn) -> usize {
        let config = self.config();
        let Self { hub, session, frames, dialect, rates, .. } = self;
        let (mut commands, mut pongs, mut messages, mut end) = (Vec::new(), Vec::new(), 0, None);
        let fed = frames.feed(input, &config, |event| {
            turn.frame(&event);
            messages += u64::from(matches!(event, Event::Text(_) | Event::Binary(_)));
            end = take_frame(event, rates.as_deref_mut(), dialect.as_mut(), &mut commands, &mut pongs).err();
            let has_room = publish(hub, session, &mut commands);
            if end.is_some() || !commands.is_empty() || !has_room || turn.is_over() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        if messages > 0 {
            self.received(Traffic { messages, bytes: 0 });
        }
        if !pongs.is_empty() {
            self.hub.writer.pong(&self.session, &pongs);
        }
        let taken = fed.unwrap_or_else(|error| {
            end = Some(match error {
                ProtocolError::MessageTooBig { limit } => Disconnect::MessageTooBig { limit },
                error => {
                    let code = error.close_code().get();
                    Disconnect::Protocol { code, reason: error.to_string().into() }
                }
            });
            input.len()
        });
        self.execute(commands, end);
        taken
    }

    /// Leaves to be waited for what has to be; else ends the session, where it ends.
    fn execute(&mut self, commands: Vec<Command>, end: Option<Disconnect>) {
        match end {
            None if commands.is_empty() => {}
            Some(end) if commands.is_empty() && !matches!(end, Disconnect::ByClient(_)) => {
                self.hub.goodbyes.end(&self.session, &end);
            }
            end => {
                self.pause();
                self.hub.inbound.unread(&self.session);
                self.wait_for(carry_out(self.hub.clone(), self.session.clone(), commands, end));
            }
        }
    }

    /// Until the next read it is this node that waits, not the client.
    fn pause(&mut self) {
        if let Some(rates) = &mut self.rates {
            rates.pause();
        }
    }

    fn is_waiting(&self) -> bool {
        self.waits.as_ref().is_some_and(|waits| waits.first.is_some())
    }

    fn wait_for(&mut self, wait: impl Future<Output = ControlFlow<()>> + Send + 'static) {
        self.waits.get_or_insert_default().first = Some(Box::pin(wait));
    }

    fn keep(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            self.waits.get_or_insert_default().rest = rest.into();
        }
    }

    /// Changes what it waits for, and forgets that where it is nothing any more.
    fn leave(&mut self, change: impl FnOnce(&mut Waits)) {
        let waits = self.waits.get_or_insert_default();
        change(waits);
        if waits.first.is_none() && waits.rest.is_empty() {
            self.waits = None;
        }
    }

    /// Tells the hub what is held until more comes, or it may go on: it wakes the reader where that has to end.
    fn tell(&mut self, reader: &Waker) {
        let (part, has_begun) = (self.read.part(), self.frames.has_begun());
        let rest = self.waits.as_ref().map_or(0, |waits| waits.rest.capacity());
        let bytes = self.frames.held() + rest + part.map_or(0, |part| part.bytes);
        if bytes == 0 {
            return self.tell_of_nothing();
        }
        // A record that came in part is as old as the message that it brings, where there is one. What has to wait is
        // not the client's to finish.
        let is_new = has_begun || !self.frames.is_mid_message() && part.is_none_or(|part| part.is_new);
        self.is_told = true;
        self.hub.inbound.buffers(&self.session, Buffered { bytes, is_new }, reader);
    }

    fn tell_of_nothing(&mut self) {
        if take(&mut self.is_told) {
            self.hub.inbound.buffers_nothing(&self.session);
        }
    }
}

impl<R: Incoming> Future for Connection<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let polled = this.poll_turn(cx);
        match polled {
            Poll::Ready(()) => this.tell_of_nothing(),
            Poll::Pending => this.tell(cx.waker()),
        }
        polled
    }
}

#[cfg(test)]
mod tests;
