//! The sending half of one session: its bytes in one order, of fan-out, replies, pongs and the goodbye.
//!
//! Invariants
//! - All bytes pass one short lock, so no two writers interleave.
//! - Bytes go straight to the sink while it takes them. A session has a queue only if its sink refused bytes, or if a
//!   tick has more for it. A caller that gets [`Sent::NeedsFlush`] must see that the queue is flushed.
//! - A client is slow only by bytes that its own sink refused, see [`queue`](crate::session::queue). An empty queue
//!   takes any write whole.
//! - After the goodbye nothing is taken.
//! - The bytes that a sink took are counted under that lock: for the session at once, in the metrics by the sender.

use std::{
    hint::black_box,
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

/// The sending half of a session.
pub struct Outbound {
    state: Mutex<State>,
    sent: Counts,
}

impl Default for Outbound {
    /// Without a transport: messages wait until [`Outbound::attach`].
    fn default() -> Self {
        Self { state: Mutex::new(State::Detached(Box::default())), sent: Counts::default() }
    }
}

impl Outbound {
    /// Its part of [`Session::prefetch`](crate::session::state::Session::prefetch).
    #[inline]
    pub(crate) fn prefetch(&self) {
        black_box((self.state.is_locked(), self.sent.get().bytes));
    }

    /// The messages and bytes to the client so far.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.sent.get()
    }

    /// Puts the session on a transport and sends the messages that waited. If the session has a transport, or was
    /// aborted, the new sink is aborted.
    pub fn attach(
        &self,
        transport: &'static dyn Transport,
        sink: Arc<dyn Sink>,
        budget: &Arc<Budget>,
    ) -> Sent {
        self.counted(budget, |state, write| state.attach(transport, sink, write))
    }

    /// Takes the session off its transport: messages wait for the next [`Outbound::attach`]. A session that has ended
    /// stays on its transport, which sends the goodbye. A poll is answered with the messages that wait.
    pub(crate) fn detach(&self, budget: &Arc<Budget>) -> Option<Link> {
        self.counted(budget, State::detach)
    }

    /// Counts traffic that went over the transport that the session left. Only then the session may get another.
    pub(crate) fn left_behind(&self, went: Traffic) {
        let _state = self.state.lock();
        self.sent.add(went);
    }

    /// Sends messages, or keeps them for the next transport.
    ///
    /// With `defer` they are only queued: the caller has more for this session and flushes afterwards.
    pub fn send(&self, outgoing: &mut impl Outgoing, budget: &Arc<Budget>, defer: bool) -> Sent {
        self.counted(budget, |state, write| state.send(outgoing, write, defer))
    }

    /// [`Outbound::send`], whose traffic the caller counts in the metrics.
    pub(crate) fn send_uncounted(
        &self,
        outgoing: &mut impl Outgoing,
        budget: &Arc<Budget>,
        defer: bool,
    ) -> (Sent, Traffic) {
        self.uncounted(budget, |state, write| state.send(outgoing, write, defer))
    }

    /// Sends the transport's own ping.
    pub fn ping(&self, budget: &Arc<Budget>) -> Sent {
        self.control(|transport, out| transport.ping(out), budget)
    }

    /// Answers the client's pings.
    pub fn pong(&self, payloads: &[Bytes], budget: &Arc<Budget>) -> Sent {
        let pongs = |transport: &'static dyn Transport, out: &mut Vec<u8>| {
            payloads.iter().for_each(|payload| transport.pong(payload, out));
        };
        self.control(pongs, budget)
    }

    /// Sends a control frame. A session without a transport drops it.
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

    /// Whether the session has a transport now.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        match &*self.state.lock() {
            State::Detached(waiting) => waiting.is_polled(),
            State::Attached(_) => true,
            State::Aborted(_) => false,
        }
    }

    /// Says goodbye, and takes nothing more. An empty goodbye ends the transport once the queue is flushed.
    pub fn close(&self, goodbye: &Goodbye, finish: Finish, budget: &Arc<Budget>) -> Sent {
        self.counted(budget, |state, write| state.close(goodbye, finish, write))
    }

    /// Ends the transport at once. Its reader sees the end.
    pub fn abort(&self) {
        self.state.lock().abort();
    }

    /// The transport's reader has ended: drops an aborted transport, and finishes one that waited for the client's
    /// answer.
    pub(crate) fn let_go(&self) {
        match &mut *self.state.lock() {
            State::Aborted(sink) => *sink = None,
            State::Attached(link) => link.answered(),
            State::Detached(_) => {}
        }
    }

    /// Writes the queue at once. [`Sent::NeedsFlush`]: the sink did not take all of it.
    pub fn flush(&self, budget: &Arc<Budget>) -> Sent {
        self.counted(budget, State::flush)
    }

    /// [`Outbound::flush`], whose traffic the caller counts in the metrics.
    pub(crate) fn flush_uncounted(&self, budget: &Arc<Budget>) -> (Sent, Traffic) {
        self.uncounted(budget, State::flush)
    }

    /// Ready once the queue is empty. Else the task is woken when the sink takes more.
    pub fn poll_flush(&self, cx: &mut Context<'_>, budget: &Arc<Budget>) -> Poll<Sent> {
        self.counted(budget, |state, write| {
            let State::Attached(link) = state else { return Poll::Ready(Sent::Done) };
            let flushed = ready!(link.poll_flush(cx, write));
            Poll::Ready(state.flushed(flushed))
        })
    }

    /// Runs `act`, and counts its traffic for the session and in the metrics.
    fn counted<T>(
        &self,
        budget: &Arc<Budget>,
        act: impl FnOnce(&mut State, &mut WriteContext<'_>) -> T,
    ) -> T {
        let (done, went) = self.uncounted(budget, act);
        budget.metrics.sent.add(went);
        done
    }

    /// Runs `act`, and counts its traffic for the session only.
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

    /// Whether the transport was aborted, or the goodbye and all before it are flushed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &*self.state.lock() {
            State::Detached(_) => false,
            State::Attached(link) => link.is_finished(),
            State::Aborted(_) => true,
        }
    }

    /// The number of bytes that wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        match &*self.state.lock() {
            State::Detached(waiting) => waiting.queue.bytes(),
            State::Attached(link) => link.queued(),
            State::Aborted(_) => 0,
        }
    }

    /// The number of bytes that the session takes of the node's budget.
    #[must_use]
    pub fn charged(&self) -> usize {
        match &*self.state.lock() {
            State::Detached(waiting) => waiting.queue.charged(),
            State::Attached(link) => link.charged(),
            State::Aborted(_) => 0,
        }
    }

    /// Judges the client, at each turn of its shard's clock. A client without a transport is never slow: no socket
    /// refuses its bytes.
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

    /// Keeps only the newest waiting publication of each conflating channel.
    pub fn conflate(&self, budget: &Budget) {
        match &mut *self.state.lock() {
            State::Detached(waiting) => waiting.queue.conflate(budget),
            State::Attached(link) => link.conflate(budget),
            State::Aborted(_) => {}
        }
    }

    /// Drops the messages that wait, except one that was begun and the goodbye. For a session that ends.
    pub fn shed(&self) {
        match &mut *self.state.lock() {
            State::Detached(waiting) => waiting.queue.shed(false),
            State::Attached(link) => link.shed(),
            State::Aborted(_) => {}
        }
    }
}
