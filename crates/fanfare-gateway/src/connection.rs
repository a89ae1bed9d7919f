//! One small task that only reads: bytes to messages to commands.
//!
//! Invariants
//! - It has no timer, no queue and no buffer of its own: it reads into a buffer that all connections of a thread
//!   share, and keeps bytes only while a frame is incomplete.
//! - It reads only while the session may publish more ([`Hub::poll_room`]).
//! - Once the session has ended it discards what comes, until the client goes or the goodbye's time is over: a
//!   socket closed with unread bytes would reset the connection, and the goodbye could be lost.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use fanfare_core::{Command, Decoder, Disconnect, Message};
use fanfare_hub::{Hub, Session};
use fanfare_websocket::Event;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::tcp::OwnedReadHalf,
};

/// What one read can bring.
const READ_BYTES: usize = 64 << 10;

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// A WebSocket connection's reading side.
pub struct Connection {
    hub: Arc<Hub>,
    session: Arc<Session>,
    read: OwnedReadHalf,
    frames: fanfare_websocket::Decoder,
    dialect: Box<dyn Decoder>,
    config: fanfare_websocket::Config,
}

/// What one read came to.
enum Step {
    /// These are to be carried out, then more is read.
    Commands(Vec<Command>),
    /// These are to be carried out, then the client's goodbye is answered.
    Goodbye(Vec<Command>, Disconnect),
    /// These are to be carried out, then the session ends, for a reason of ours.
    End(Vec<Command>, Disconnect),
    /// The client is gone.
    Gone,
}

impl Connection {
    /// A connection that nothing was read from yet.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        session: Arc<Session>,
        read: OwnedReadHalf,
        dialect: Box<dyn Decoder>,
        config: fanfare_websocket::Config,
    ) -> Self {
        Self { hub, session, read, frames: fanfare_websocket::Decoder::new(), dialect, config }
    }

    /// Reads until the client is gone. `early` is what it sent right behind its handshake.
    pub async fn run(mut self, early: Bytes) {
        if !early.is_empty() {
            let step = self.take(&mut early.to_vec());
            if self.carry_out(step).await.is_break() {
                return;
            }
        }
        loop {
            let step = poll_fn(|cx| self.poll_step(cx)).await;
            if self.carry_out(step).await.is_break() {
                return;
            }
        }
    }

    /// Reads once, when there is something and the session may publish.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        ready!(self.hub.poll_room(&self.session, cx));
        READ.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            let result = ready!(Pin::new(&mut self.read).poll_read(cx, &mut read));
            Poll::Ready(match result {
                Ok(()) if !read.filled().is_empty() => self.take(read.filled_mut()),
                ended => self.lost(ended),
            })
        })
    }

    fn lost(&self, ended: io::Result<()>) -> Step {
        if let Err(error) = ended {
            tracing::debug!(session = self.session.id().0, %error, "read failed");
        }
        self.hub.end(&self.session, &Disconnect::Lost);
        Step::Gone
    }

    /// Decodes what was read.
    fn take(&mut self, input: &mut [u8]) -> Step {
        let mut commands = Vec::new();
        if self.session.has_ended() {
            return Step::Commands(commands);
        }
        let Self { hub, session, frames, dialect, config, .. } = self;
        let (mut goodbye, mut end) = (None, None);
        let fed = frames.feed(input, config, |event| {
            let message = match event {
                Event::Text(bytes) => Message::Text(bytes),
                Event::Binary(bytes) => Message::Binary(bytes),
                Event::Ping(payload) => {
                    hub.pong(session, &payload);
                    return ControlFlow::Continue(());
                }
                Event::Pong(_) => return ControlFlow::Continue(()),
                Event::Close(frame) => {
                    goodbye = Some(Disconnect::ByClient(frame.map(|frame| frame.code.get())));
                    return ControlFlow::Break(());
                }
            };
            match dialect.decode(message, &mut commands) {
                Ok(()) => ControlFlow::Continue(()),
                Err(disconnect) => {
                    end = Some(disconnect);
                    ControlFlow::Break(())
                }
            }
        });
        if let Err(error) = fed {
            let code = error.close_code().get();
            end = Some(Disconnect::Protocol { code, reason: error.to_string().into() });
        }
        match (end, goodbye) {
            (Some(disconnect), _) => Step::End(commands, disconnect),
            (None, Some(disconnect)) => Step::Goodbye(commands, disconnect),
            (None, None) => Step::Commands(commands),
        }
    }

    /// Carries out what a step brought; breaks when there is nothing more to read.
    async fn carry_out(&mut self, step: Step) -> ControlFlow<()> {
        match step {
            Step::Commands(commands) => self.execute(commands).await,
            Step::Goodbye(commands, disconnect) => {
                self.execute(commands).await;
                // Boxed: most of a connection's life passes without it.
                Box::pin(self.hub.end_after_answers(&self.session, disconnect)).await;
                return ControlFlow::Break(());
            }
            Step::End(commands, disconnect) => {
                self.execute(commands).await;
                self.hub.end(&self.session, &disconnect);
            }
            Step::Gone => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    async fn execute(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Publish { id, channel, payload } => {
                    self.hub.publish(&self.session, id, channel, payload);
                }
                other => Box::pin(self.hub.execute(&self.session, other)).await,
            }
        }
    }
}
