//! The bytes of one session, in order, whoever writes them: fan-out, replies, pongs and the goodbye.
//!
//! Invariants
//! - All bytes pass one short lock, so no two writers interleave.
//! - Bytes go straight to the sink while it takes them. Only a sink that refused some, or a session for which a
//!   tick has more, has a queue; whoever is told [`Sent::NeedsFlush`] sees to it that it is flushed.
//! - A client is slow only by bytes its own sink refused, see [`queue`](crate::session::queue); an empty queue takes
//!   whatever one write brings.
//! - After the goodbye nothing is taken.
//! - What a sink took is counted under that lock: for the session at once, for all by whoever sent it.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use fanfare_core::{Goodbye, Sink, Transport};
use parking_lot::Mutex;

pub use crate::session::{
    link::{Backlog, Finish, Sent},
    outgoing::Outgoing,
};
use crate::{
    session::{
        link::{Link, WriteContext},
        outbound_state::State,
        traffic::{Counts, Traffic},
    },
    upkeep::budget::Budget,
};

/// A session's way out.
pub struct Outbound {
    state: Mutex<State>,
    sent: Counts,
}

impl Default for Outbound {
    /// Without a transport: what is sent waits until [`Outbound::attach`].
    fn default() -> Self {
        Self { state: Mutex::new(State::Detached(Box::default())), sent: Counts::default() }
    }
}

impl Outbound {
    /// What went to the client so far.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.sent.get()
    }

    /// Puts the session on a transport and sends what waited. A session that has one, or has ended, takes no
    /// other: that sink is aborted.
    pub fn attach(
        &self,
        transport: &'static dyn Transport,
        sink: Box<dyn Sink>,
        budget: &Arc<Budget>,
    ) -> Sent {
        self.counted(budget, |state, write| state.attach(transport, sink, write))
    }

    /// Takes the session off its transport: what is sent from now on waits for the next [`Outbound::attach`]. A session
    /// that has ended stays on it: the goodbye goes out there. A poll is answered with what there is.
    pub(crate) fn detach(&self, budget: &Arc<Budget>) -> Option<Link> {
        self.counted(budget, State::detach)
    }

    /// This went over a transport that it left. Until that is done it has no other.
    pub(crate) fn left_behind(&self, went: Traffic) {
        let _state = self.state.lock();
        self.sent.add(went);
    }

    /// Sends what is outgoing, or keeps it for the next transport.
    ///
    /// With `defer` it is only queued: the caller has more for this session and flushes afterwards.
    pub fn send(&self, outgoing: &mut impl Outgoing, budget: &Arc<Budget>, defer: bool) -> Sent {
        self.counted(budget, |state, write| state.send(outgoing, write, defer))
    }

    /// The same; what went with it is not counted in the metrics, but left to who gathers it.
    pub(crate) fn send_uncounted(
        &self,
        outgoing: &mut impl Outgoing,
        budget: &Arc<Budget>,
        defer: bool,
    ) -> (Sent, Traffic) {
        self.uncounted(budget, |state, write| state.send(outgoing, write, defer))
    }

    /// Asks for a sign of life, with the transport's own ping.
    pub fn ping(&self, budget: &Arc<Budget>) -> Sent {
        self.control(|transport, out| transport.ping(out), budget)
    }

    /// Answers pings of the client's.
    pub fn pong(&self, payloads: &[Bytes], budget: &Arc<Budget>) -> Sent {
        let pongs = |transport: &'static dyn Transport, out: &mut Vec<u8>| {
            payloads.iter().for_each(|payload| transport.pong(payload, out));
        };
        self.control(pongs, budget)
    }

    /// What belongs to the transport goes nowhere while there is none.
    fn control(
        &self,
        frame: impl FnOnce(&'static dyn Transport, &mut Vec<u8>),
        budget: &Arc<Budget>,
    ) -> Sent {
        self.counted(budget, |state, write| {
            let State::Attached(link) = state else { return Sent::Done };
            let sent = link.control(frame, write);
            state.unless_broken(sent)
        })
    }

    /// Whether there is a transport at the moment.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        match &*self.state.lock() {
            State::Detached(waiting) => waiting.is_polled(),
            State::Attached(_) => true,
            State::Aborted(_) => false,
        }
    }

    /// Says goodbye, and takes nothing more. A goodbye without words ends the transport once all is flushed.
    pub fn close(&self, goodbye: &Goodbye, finish: Finish, budget: &Arc<Budget>) -> Sent {
        self.counted(budget, |state, write| state.close(goodbye, finish, write))
    }

    /// Ends the transport at once; whoever reads it sees its end.
    pub fn abort(&self) {
        self.state.lock().abort();
    }

    /// Nobody reads the transport any more: lets go of it, where it was aborted, and finishes it, where that waited
    /// for the client's answer.
    pub(crate) fn let_go(&self) {
        match &mut *self.state.lock() {
            State::Aborted(sink) => *sink = None,
            State::Attached(link) => link.answered(),
            State::Detached(_) => {}
        }
    }

    /// Writes at once what is queued. [`Sent::NeedsFlush`] where the sink took not all of it.
    pub fn flush(&self, budget: &Arc<Budget>) -> Sent {
        self.counted(budget, State::flush)
    }

    /// The same; what went is left to who gathers it.
    pub(crate) fn flush_uncounted(&self, budget: &Arc<Budget>) -> (Sent, Traffic) {
        self.uncounted(budget, State::flush)
    }

    /// Ready once nothing is queued; else the task is woken when the sink takes more.
    pub fn poll_flush(&self, cx: &mut Context<'_>, budget: &Arc<Budget>) -> Poll<Sent> {
        self.counted(budget, |state, write| {
            let State::Attached(link) = state else { return Poll::Ready(Sent::Done) };
            let flushed = ready!(link.poll_flush(cx, write));
            Poll::Ready(state.flushed(flushed))
        })
    }

    /// Does something to the state, and counts what went out with it: for the session, and for all.
    fn counted<T>(
        &self,
        budget: &Arc<Budget>,
        act: impl FnOnce(&mut State, &mut WriteContext<'_>) -> T,
    ) -> T {
        let (done, went) = self.uncounted(budget, act);
        budget.metrics.sent.add(went);
        done
    }

    /// The same, for the session only.
    fn uncounted<T>(
        &self,
        budget: &Arc<Budget>,
        act: impl FnOnce(&mut State, &mut WriteContext<'_>) -> T,
    ) -> (T, Traffic) {
        let mut write = WriteContext::new(budget);
        let mut state = self.state.lock();
        let done = act(&mut state, &mut write);
        self.sent.add(write.went);
        (done, write.went)
    }

    /// Whether it is over: aborted, or the goodbye was said and all before it is flushed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &*self.state.lock() {
            State::Detached(_) => false,
            State::Attached(link) => link.is_finished(),
            State::Aborted(_) => true,
        }
    }

    /// How many bytes wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        match &*self.state.lock() {
            State::Detached(waiting) => waiting.queue.bytes(),
            State::Attached(link) => link.queued(),
            State::Aborted(_) => 0,
        }
    }

    /// What it takes of the node's budget.
    #[must_use]
    pub fn charged(&self) -> usize {
        match &*self.state.lock() {
            State::Detached(waiting) => waiting.queue.charged(),
            State::Attached(link) => link.charged(),
            State::Aborted(_) => 0,
        }
    }

    /// Judges the client, at each turn of its shard's clock. Without a transport there is no socket that refuses, and none is slow either.
    pub fn turn(&self, budget: &Arc<Budget>) -> Backlog {
        self.counted(budget, |state, write| {
            let turned = match state {
                State::Detached(waiting) if !waiting.queue.is_empty() => return Backlog::Waits,
                State::Attached(link) => link.turn(write),
                State::Detached(_) | State::Aborted(_) => return Backlog::Nothing,
            };
            turned.unwrap_or_else(|_| {
                state.abort();
                Backlog::Nothing
            })
        })
    }

    /// Of what waits, keeps of each conflating channel the newest publication only.
    pub fn conflate(&self, budget: &Budget) {
        match &mut *self.state.lock() {
            State::Detached(waiting) => waiting.queue.conflate(budget),
            State::Attached(link) => link.conflate(budget),
            State::Aborted(_) => {}
        }
    }

    /// Drops what waits, but what was begun and the goodbye: for a session that ends.
    pub fn shed(&self) {
        match &mut *self.state.lock() {
            State::Detached(waiting) => waiting.queue.shed(false),
            State::Attached(link) => link.shed(),
            State::Aborted(_) => {}
        }
    }
}
