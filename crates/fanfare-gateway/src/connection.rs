//! One small task that only reads: bytes to messages to commands.
//!
//! Invariants
//! - It has no timer, no queue and no buffer of its own: it reads into a buffer that all connections of a thread
//!   share, and keeps bytes only while a frame is incomplete.
//! - It reads only while the session may publish more ([`Hub::poll_room`]).
//! - Once the session has ended it goes on until the client answers the goodbye or its time is over: a socket closed
//!   with unread bytes would reset the connection, and the goodbye could be lost. What comes until then is carried out
//!   where the client was sent away ([`Session::is_listened_to`]), for it had not heard of it; else it is discarded.
//! - The hub knows of every message that came in part, so that none is kept for ever ([`Hub::began`]).
//! - The pongs for one read go out in one write: a flood of pings costs a write per read, not one per ping.

use std::{
    cell::RefCell,
    ops::{ControlFlow, Deref},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
    vec,
};

use bytes::Bytes;
use fanfare_core::{Command, Decoder, Disconnect, Message};
use fanfare_hub::{Hub, Session, Traffic};
use fanfare_websocket::{Config, Event, ProtocolError, Role};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::tcp::OwnedReadHalf,
};

use crate::rates::Rates;

/// What one read can bring.
const READ_BYTES: usize = 64 << 10;

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// What a connection is read from.
pub trait Incoming: AsyncRead + Unpin + Send + 'static {
    /// Whether bytes came since the last call that cannot be read yet: the first of a TLS record. They are a sign of
    /// life all the same.
    fn came_in_part(&self) -> bool;
}

impl Incoming for OwnedReadHalf {
    fn came_in_part(&self) -> bool {
        false
    }
}

/// A WebSocket connection's reading side; the future ends when the client is gone.
///
/// Written by hand, for its size: an `async fn` would keep every step's state beside the connection's own.
pub struct Connection<R = OwnedReadHalf> {
    hub: Arc<Hub>,
    /// Dropped before the session is let go of.
    read: R,
    session: Reading,
    frames: fanfare_websocket::Decoder,
    dialect: Box<dyn Decoder>,
    /// What has to be waited for before more is read; breaks when nothing more is.
    wait: Option<Wait>,
    /// What the client may send, where that is limited.
    rates: Option<Box<Rates>>,
    deflate: bool,
}

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

type Wait = Pin<Box<dyn Future<Output = ControlFlow<()>> + Send>>;

impl<R: Incoming> Connection<R> {
    /// A connection whose client sent `early` right behind its handshake. `deflate`: it was negotiated.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        session: Arc<Session>,
        read: R,
        dialect: Box<dyn Decoder>,
        deflate: bool,
        early: &[u8],
    ) -> Self {
        let frames = fanfare_websocket::Decoder::new();
        let rates = Rates::new(&hub.limits(), hub.now(&session));
        let session = Reading(session);
        let mut connection = Self { hub, read, session, frames, dialect, wait: None, rates, deflate };
        if !early.is_empty() {
            connection.take(&mut early.to_vec());
        }
        connection
    }

    /// Reads once, when there is something and the session may publish; breaks when the client is gone.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<ControlFlow<()>> {
        if self.hub.poll_room(&self.session, cx).is_pending() {
            self.pause();
            return Poll::Pending;
        }
        READ.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            let polled = Pin::new(&mut self.read).poll_read(cx, &mut read);
            if polled.is_pending() && self.read.came_in_part() {
                self.hub.heard(&self.session);
            }
            let result = ready!(polled);
            if result.is_ok() && !read.filled().is_empty() {
                self.hub.heard(&self.session);
                self.take(read.filled_mut());
                return Poll::Ready(ControlFlow::Continue(()));
            }
            if let Err(error) = result {
                tracing::debug!(session = self.session.id().0, %error, "read failed");
            }
            self.hub.end(&self.session, &Disconnect::Lost);
            Poll::Ready(ControlFlow::Break(()))
        })
    }

    /// Decodes what was read, and carries it out.
    fn take(&mut self, input: &mut [u8]) {
        self.received(Traffic { messages: 0, bytes: input.len() as u64 });
        if !self.session.is_listened_to() {
            return self.discard(input);
        }
        if let Some(rates) = &mut self.rates
            && let Err(rate) = rates.read(input.len(), Instant::now(), self.hub.now(&self.session))
        {
            self.discard(input);
            return self.hub.end(&self.session, &Disconnect::RateLimited(rate));
        }
        let mut commands = Vec::new();
        let end = self.decode(input, &mut commands);
        let hub = self.hub.clone();
        hub.gather(|| self.execute(commands.into_iter(), end));
    }

    /// Looks at nothing but the client's answer to our goodbye: then both have said it, and the socket may close.
    fn discard(&mut self, input: &mut [u8]) {
        let config = self.config();
        let mut answered = false;
        let fed = self.frames.feed(input, &config, |event| {
            answered |= matches!(event, Event::Close(_));
            ControlFlow::Continue(())
        });
        if fed.is_ok() && answered {
            self.wait = Some(Box::pin(std::future::ready(ControlFlow::Break(()))));
        }
    }

    fn received(&self, traffic: Traffic) {
        self.hub.received(&self.session, traffic);
    }

    fn config(&self) -> Config {
        let max_message = self.hub.message_bytes();
        Config { role: Role::Server, max_message, deflate: self.deflate }
    }

    /// What the bytes ask for; a disconnect where they end the session.
    fn decode(&mut self, input: &mut [u8], commands: &mut Vec<Command>) -> Option<Disconnect> {
        let config = self.config();
        let was_mid_message = self.frames.is_mid_message();
        let Self { frames, dialect, rates, .. } = self;
        let (mut pongs, mut messages, mut end) = (Vec::new(), 0, None);
        let fed = frames.feed(input, &config, |event| {
            messages += u64::from(matches!(event, Event::Text(_) | Event::Binary(_)));
            match take_frame(event, rates.as_deref_mut(), dialect.as_mut(), commands, &mut pongs) {
                Ok(()) => ControlFlow::Continue(()),
                Err(disconnect) => {
                    end = Some(disconnect);
                    ControlFlow::Break(())
                }
            }
        });
        if self.frames.has_begun() {
            self.hub.began(&self.session);
        } else if was_mid_message && !self.frames.is_mid_message() {
            self.hub.whole(&self.session);
        }
        if messages > 0 {
            self.received(Traffic { messages, bytes: 0 });
        }
        if !pongs.is_empty() {
            self.hub.pong(&self.session, &pongs);
        }
        match fed {
            Ok(taken) => {
                if let Some(rest) = input.get_mut(taken..) {
                    self.discard(rest);
                }
                end
            }
            Err(ProtocolError::MessageTooBig { limit }) => Some(Disconnect::MessageTooBig { limit }),
            Err(error) => {
                let code = error.close_code().get();
                Some(Disconnect::Protocol { code, reason: error.to_string().into() })
            }
        }
    }

    /// Carries out what needs no waiting, and leaves the rest to be waited for.
    fn execute(&mut self, mut commands: vec::IntoIter<Command>, end: Option<Disconnect>) {
        while let Some(command) = commands.next() {
            match command {
                Command::Publish { id, channel, payload } => {
                    self.hub.publish(&self.session, id, channel, payload);
                }
                command => return self.wait_for(Some(command), commands, end),
            }
        }
        match end {
            None => {}
            Some(Disconnect::ByClient(_)) => self.wait_for(None, commands, end),
            Some(disconnect) => self.hub.end(&self.session, &disconnect),
        }
    }

    /// Until the next read it is this node that waits, not the client.
    fn pause(&mut self) {
        if let Some(rates) = &mut self.rates {
            rates.pause();
        }
    }

    fn wait_for(&mut self, first: Option<Command>, rest: vec::IntoIter<Command>, end: Option<Disconnect>) {
        self.pause();
        self.hub.unread(&self.session);
        self.wait = Some(Box::pin(carry_out(self.hub.clone(), self.session.clone(), first, rest, end)));
    }
}

impl<R: Incoming> Future for Connection<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let flow = match &mut this.wait {
                Some(wait) => {
                    let flow = ready!(wait.as_mut().poll(cx));
                    this.wait = None;
                    flow
                }
                None => ready!(this.poll_read(cx)),
            };
            if flow.is_break() {
                return Poll::Ready(());
            }
        }
    }
}

/// What one frame asks for: a command, a pong, or nothing.
///
/// # Errors
/// It ends the session.
fn take_frame(
    event: Event,
    rates: Option<&mut Rates>,
    dialect: &mut dyn Decoder,
    commands: &mut Vec<Command>,
    pongs: &mut Vec<Bytes>,
) -> Result<(), Disconnect> {
    if let Some(rates) = rates {
        rates.frame().map_err(Disconnect::RateLimited)?;
    }
    match event {
        Event::Text(bytes) => dialect.decode(Message::Text(bytes), commands),
        Event::Binary(bytes) => dialect.decode(Message::Binary(bytes), commands),
        Event::Ping(payload) => {
            pongs.push(payload);
            Ok(())
        }
        Event::Pong(_) | Event::Fragment => Ok(()),
        Event::Close(frame) => Err(Disconnect::ByClient(frame.map(|frame| frame.code.get()))),
    }
}

/// Carries out what has to be waited for. Nothing is read after the client's goodbye.
async fn carry_out(
    hub: Arc<Hub>,
    session: Arc<Session>,
    first: Option<Command>,
    rest: vec::IntoIter<Command>,
    end: Option<Disconnect>,
) -> ControlFlow<()> {
    for command in first.into_iter().chain(rest) {
        hub.execute(&session, command).await;
    }
    match end {
        None => {}
        Some(disconnect @ Disconnect::ByClient(_)) => {
            hub.end_after_answers(&session, disconnect).await;
            return ControlFlow::Break(());
        }
        Some(disconnect) => hub.end(&session, &disconnect),
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::socket::TlsStream;

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Connection>() <= 88, "{}", size_of::<Connection>());
        assert!(size_of::<Connection<TlsStream>>() <= 88, "{}", size_of::<Connection<TlsStream>>());
    }
}
