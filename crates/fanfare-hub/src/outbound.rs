//! The bytes of one session, in order, whoever writes them: fan-out, replies, pongs and the goodbye.
//!
//! Invariants
//! - All bytes pass one short lock, so no two writers interleave.
//! - Bytes go straight to the sink while it takes them. Only a sink that refused some, or a session for which a
//!   tick has more, has a queue; whoever is told [`Sent::NeedsFlush`] sees to it that it is flushed.
//! - A client is slow only by bytes its own sink refused: the bound is looked at when there are such bytes, and
//!   an empty queue takes whatever one write brings.
//! - After the goodbye nothing is taken.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use fanfare_core::{CloseFrame, Message, Sink, Transport};
use parking_lot::Mutex;

pub use crate::link::Sent;
use crate::link::{Draining, Link};

/// A session's way out.
pub struct Outbound {
    state: Mutex<State>,
}

/// What can be sent, whether there is a transport or not.
pub trait Outgoing {
    /// Its bytes on a transport.
    fn framed(&mut self, transport: &'static dyn Transport) -> Bytes;

    /// Its messages, to be framed once there is a transport.
    fn messages(&mut self, hold: &mut dyn FnMut(Message));
}

impl Outgoing for Message {
    fn framed(&mut self, transport: &'static dyn Transport) -> Bytes {
        let mut framed = Vec::new();
        transport.frame(self, &mut framed);
        framed.into()
    }

    fn messages(&mut self, hold: &mut dyn FnMut(Message)) {
        hold(self.clone());
    }
}

enum State {
    /// No transport yet, or none for the moment; nobody knows how to frame these.
    Detached(Box<Waiting>),
    Attached(Link),
    /// Broken, or ended at once.
    Aborted,
}

#[derive(Default)]
struct Waiting {
    messages: Vec<Message>,
    bytes: usize,
    goodbye: Option<Option<CloseFrame>>,
}

impl Default for Outbound {
    /// Without a transport: what is sent waits until [`Outbound::attach`].
    fn default() -> Self {
        Self { state: Mutex::new(State::Detached(Box::default())) }
    }
}

impl Outbound {
    /// Puts the session on a transport and sends what waited. A session that has one, or has ended, takes no
    /// other: that sink is aborted.
    pub fn attach(&self, transport: &'static dyn Transport, sink: Box<dyn Sink>) -> Sent {
        let mut state = self.state.lock();
        let State::Detached(waiting) = &mut *state else {
            sink.abort();
            return Sent::Broken;
        };
        let Waiting { messages, goodbye, .. } = std::mem::take(&mut **waiting);
        let mut framed = Vec::new();
        for message in &messages {
            transport.frame(message, &mut framed);
        }
        *state = State::Attached(Link::new(transport, sink));
        let sent = if framed.is_empty() { Sent::Done } else { state.write(framed.into(), usize::MAX) };
        match goodbye {
            Some(frame) if sent != Sent::Broken => match state.close(frame.as_ref()) {
                // Queued behind what waited, which nobody flushes yet.
                Sent::Done => sent,
                closed => closed,
            },
            _ => sent,
        }
    }

    /// Takes the session off its transport: what is sent from now on waits for the next [`Outbound::attach`],
    /// which must not come before the future returned has ended, else the order is lost.
    ///
    /// A session that has ended stays on its transport: the goodbye goes out there.
    pub fn detach(&self) -> Draining {
        let mut state = self.state.lock();
        match &mut *state {
            State::Attached(link) if !link.is_closed() => link.wake_flushers(),
            _ => return Draining(None),
        }
        match std::mem::replace(&mut *state, State::Detached(Box::default())) {
            State::Attached(link) => Draining(Some(link)),
            State::Detached(_) | State::Aborted => Draining(None),
        }
    }

    /// Sends what is outgoing, or keeps it for the next transport.
    ///
    /// With `defer` it is only queued: the caller has more for this session and flushes afterwards.
    pub fn send(&self, outgoing: &mut impl Outgoing, bound: usize, defer: bool) -> Sent {
        let mut state = self.state.lock();
        match &mut *state {
            State::Attached(link) => {
                let bytes = outgoing.framed(link.transport);
                if defer { link.defer(bytes, bound) } else { state.write(bytes, bound) }
            }
            State::Detached(waiting) if waiting.goodbye.is_none() => {
                let mut fits = true;
                outgoing.messages(&mut |message| fits &= waiting.hold(message, bound));
                if fits { Sent::Done } else { Sent::Overflow }
            }
            State::Detached(_) | State::Aborted => Sent::Done,
        }
    }

    /// Asks for a sign of life, with the transport's own ping.
    pub fn ping(&self, bound: usize) -> Sent {
        self.control(|transport, out| transport.ping(out), bound)
    }

    /// Answers pings of the client's.
    pub fn pong(&self, payloads: &[Bytes], bound: usize) -> Sent {
        let pongs = |transport: &'static dyn Transport, out: &mut Vec<u8>| {
            payloads.iter().for_each(|payload| transport.pong(payload, out));
        };
        self.control(pongs, bound)
    }

    /// What belongs to the transport goes nowhere while there is none.
    fn control(&self, frame: impl FnOnce(&'static dyn Transport, &mut Vec<u8>), bound: usize) -> Sent {
        let mut state = self.state.lock();
        let State::Attached(link) = &*state else { return Sent::Done };
        let mut framed = Vec::new();
        frame(link.transport, &mut framed);
        state.write(framed.into(), bound)
    }

    /// Whether there is a transport at the moment.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        matches!(&*self.state.lock(), State::Attached(_))
    }

    /// Says goodbye, and takes nothing more. Without a frame the transport just ends once all is flushed.
    pub fn close(&self, frame: Option<&CloseFrame>) -> Sent {
        self.state.lock().close(frame)
    }

    /// Ends the transport at once; whoever reads it sees its end.
    pub fn abort(&self) {
        self.state.lock().abort();
    }

    /// Writes at once what is queued. [`Sent::NeedsFlush`] where the sink took not all of it.
    pub fn flush(&self) -> Sent {
        let mut state = self.state.lock();
        let State::Attached(link) = &mut *state else { return Sent::Done };
        let flushed = link.try_flush();
        state.flushed(flushed)
    }

    /// Ready once nothing is queued; else the task is woken when the sink takes more.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Sent> {
        let mut state = self.state.lock();
        let State::Attached(link) = &mut *state else { return Poll::Ready(Sent::Done) };
        let flushed = ready!(link.poll_flush(cx));
        Poll::Ready(state.flushed(flushed))
    }

    /// Whether it is over: aborted, or the goodbye was said and all before it is flushed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &*self.state.lock() {
            State::Detached(_) => false,
            State::Attached(link) => link.is_finished(),
            State::Aborted => true,
        }
    }

    /// How many bytes wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        match &*self.state.lock() {
            State::Detached(waiting) => waiting.bytes,
            State::Attached(link) => link.queued(),
            State::Aborted => 0,
        }
    }
}

impl State {
    fn write(&mut self, bytes: Bytes, bound: usize) -> Sent {
        let Self::Attached(link) = self else { return Sent::Done };
        let sent = link.write(bytes, bound);
        if sent == Sent::Broken {
            self.abort();
        }
        sent
    }

    fn close(&mut self, frame: Option<&CloseFrame>) -> Sent {
        let sent = match self {
            Self::Detached(waiting) => {
                waiting.goodbye.get_or_insert_with(|| frame.cloned());
                return Sent::Done;
            }
            Self::Attached(link) => link.close(frame),
            Self::Aborted => return Sent::Done,
        };
        if sent == Sent::Broken {
            self.abort();
        }
        sent
    }

    fn flushed(&mut self, flushed: io::Result<()>) -> Sent {
        match flushed {
            Ok(()) => Sent::Done,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::NeedsFlush,
            Err(_) => {
                self.abort();
                Sent::Broken
            }
        }
    }

    fn abort(&mut self) {
        if let Self::Attached(link) = self {
            link.abort();
        }
        *self = Self::Aborted;
    }
}

impl Waiting {
    fn hold(&mut self, message: Message, bound: usize) -> bool {
        if !self.messages.is_empty() && self.bytes + message.bytes().len() > bound {
            return false;
        }
        self.bytes += message.bytes().len();
        self.messages.push(message);
        true
    }
}
