//! A transport in use: its framing, its sink, and the queue of bytes that wait for the sink.

use std::{
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use fanfare_core::{Goodbye, Sink, Transport};
use smallvec::{SmallVec, smallvec};

use crate::{
    session::{
        outgoing::Outgoing,
        queue::{Item, Items, Queue},
        traffic::Traffic,
    },
    upkeep::budget::Budget,
};

/// The bytes of a WebSocket ping without payload. A buffer of its length becomes [`Bytes`] without a second allocation.
const PING_BYTES: usize = 2;

/// The number of slices of one write (the kernel takes at most 1,024).
const SLICES: usize = 64;

/// The result of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// All bytes were written.
    Written,
    /// The bytes are queued behind others, or the session takes nothing any more.
    Done,
    /// The bytes are queued, and nobody flushes yet: the caller must.
    NeedsFlush,
    /// The messages are the first that wait for the next transport.
    Buffered,
    /// The bytes were not taken: the queue would exceed its bound.
    Overflow,
    /// The sink is broken. It was aborted.
    Broken,
}

/// The backlog of a session's client at a turn of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// No bytes wait.
    Nothing,
    /// Bytes wait, within the bounds.
    Waits,
    /// Too many bytes waited for too long.
    Slow,
}

pub(crate) struct Link {
    pub(crate) transport: &'static dyn Transport,
    sink: Arc<dyn Sink>,
    /// Boxed: most sessions never have unsent bytes.
    unsent: Option<Box<Unsent>>,
    /// Whether the goodbye was said: nothing more is taken. The sink stays, so that it can still be aborted.
    closed: bool,
    /// Whether the sink is finished once the queue is empty.
    finishes: bool,
}

/// The moment after the goodbye at which the node ends its side of the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// As soon as the goodbye is written.
    AtOnce,
    /// When the client has answered, or its time is over: its reader drops the transport then. A proxy that sees the
    /// node's end closes the client's side too: messages that the client sent before it got the goodbye would be lost.
    WhenAnswered,
}

#[derive(Default)]
struct Unsent {
    queue: Queue<Bytes>,
    /// Whether somebody flushes, or promised to.
    promised: bool,
    /// Whether the last item is the goodbye.
    has_goodbye: bool,
    /// The tasks that wait to flush. A sink wakes only the task that asked last; the others are woken when the queue is
    /// dropped.
    flushers: SmallVec<[Waker; 1]>,
}

/// The context of one operation on a link.
pub(crate) struct WriteContext<'a> {
    /// The bound of the bytes that wait.
    pub(crate) budget: &'a Arc<Budget>,
    /// The traffic that the sink took.
    pub(crate) went: Traffic,
}

impl<'a> WriteContext<'a> {
    pub(crate) fn new(budget: &'a Arc<Budget>) -> Self {
        Self { budget, went: Traffic::default() }
    }
}

/// Bytes that are framed already, which are sent once: control frames of the transport, and the goodbye.
struct Framed {
    bytes: Bytes,
    messages: u32,
}

impl Outgoing for Framed {
    fn framed<T>(&mut self, _transport: &'static dyn Transport, act: impl FnOnce(&Bytes) -> T) -> T {
        act(&self.bytes)
    }

    fn count(&self) -> u32 {
        self.messages
    }

    fn messages(&mut self, _hold: &mut dyn FnMut(fanfare_core::Message)) {}
}

impl Link {
    pub(crate) fn new(transport: &'static dyn Transport, sink: Arc<dyn Sink>) -> Self {
        Self { transport, sink, unsent: None, closed: false, finishes: false }
    }

    pub(crate) fn queued(&self) -> usize {
        self.unsent.as_ref().map_or(0, |unsent| unsent.queue.bytes())
    }

    pub(crate) fn charged(&self) -> usize {
        self.unsent.as_ref().map_or(0, |unsent| unsent.queue.charged())
    }

    /// Writes as much as the sink takes now, and queues the rest.
    #[inline]
    pub(crate) fn send(&mut self, outgoing: &mut impl Outgoing, write: &mut WriteContext<'_>) -> Sent {
        if self.unsent.is_some() || self.closed {
            return self.defer(outgoing, write);
        }
        let tried =
            outgoing.framed(self.transport, |whole| match self.sink.try_write(&[IoSlice::new(whole)]) {
                Ok(written) if written == whole.len() => Ok(written),
                refused => Err((refused, whole.clone())),
            });
        match tried {
            Ok(written) => {
                write.went += Traffic { messages: outgoing.count().into(), bytes: written as u64 };
                Sent::Written
            }
            Err((refused, whole)) => self.keep(refused, whole, outgoing, write),
        }
    }

    /// Queues what the sink did not take of the `whole`.
    #[cold]
    fn keep(
        &mut self,
        refused: io::Result<usize>,
        whole: Bytes,
        outgoing: &mut impl Outgoing,
        write: &mut WriteContext<'_>,
    ) -> Sent {
        let written = match refused {
            Ok(written) => {
                write.budget.metrics.fan_out.writes.inc();
                written
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return Sent::Broken,
        };
        let unsent = self.unsent.get_or_insert_default();
        unsent.queue.append(items(outgoing, self.transport, |_| whole));
        write.went += unsent.queue.consume(written, write.budget);
        unsent.queue.refused(write.budget);
        unsent.promise()
    }

    /// Sends a frame of the transport's own.
    pub(crate) fn control(
        &mut self,
        frame: impl FnOnce(&'static dyn Transport, &mut Vec<u8>),
        write: &mut WriteContext<'_>,
    ) -> Sent {
        let mut framed = Vec::with_capacity(PING_BYTES);
        frame(self.transport, &mut framed);
        self.send(&mut Framed { bytes: framed.into(), messages: 0 }, write)
    }

    /// Only queues. A queue without bytes that the sink refused takes any number of bytes.
    pub(crate) fn defer(&mut self, outgoing: &mut impl Outgoing, write: &mut WriteContext<'_>) -> Sent {
        if self.closed {
            return Sent::Done;
        }
        let transport = self.transport;
        let unsent = self.unsent.get_or_insert_default();
        if !unsent.queue.push(
            items(outgoing, transport, |outgoing| outgoing.framed(transport, Bytes::clone)),
            write.budget,
        ) {
            return Sent::Overflow;
        }
        unsent.promise()
    }

    /// Sends the messages that waited for a transport, whatever the bound.
    pub(crate) fn resume(
        &mut self,
        waited: impl Iterator<Item = Item<Bytes>>,
        write: &mut WriteContext<'_>,
    ) -> io::Result<()> {
        let items: Items<Bytes> = waited.collect();
        if items.is_empty() {
            return Ok(());
        }
        self.unsent.get_or_insert_default().queue.append(items);
        let flushed = self.try_flush(write);
        self.unsent.iter_mut().for_each(|unsent| unsent.promised = true);
        flushed
    }

    /// Sends the goodbye behind the queue, then finishes the sink. A goodbye without a close frame, which the dialect
    /// or the transport does not have, cannot be answered: the sink is finished without a wait for the answer.
    pub(crate) fn close(&mut self, goodbye: &Goodbye, finish: Finish, write: &mut WriteContext<'_>) -> Sent {
        let mut frame = Vec::new();
        goodbye.frame.iter().for_each(|said| self.transport.close(said, &mut frame));
        self.finishes |= finish == Finish::AtOnce || frame.is_empty();
        let sent = if self.closed { Sent::Done } else { self.say(goodbye, &frame, write) };
        self.closed = true;
        if self.unsent.is_none() && self.finishes {
            self.sink.finish();
        }
        sent
    }

    /// The client answered the goodbye, or is gone.
    pub(crate) fn answered(&mut self) {
        if self.closed && !std::mem::replace(&mut self.finishes, true) && self.unsent.is_none() {
            self.sink.finish();
        }
    }

    /// Sends the message of a goodbye, and its close frame behind it.
    fn say(&mut self, goodbye: &Goodbye, frame: &[u8], write: &mut WriteContext<'_>) -> Sent {
        let message = &goodbye.message;
        let mut framed = Vec::new();
        message.iter().for_each(|message| self.transport.frame(message, &mut framed));
        framed.extend_from_slice(frame);
        if framed.is_empty() {
            return Sent::Done;
        }
        let messages = u32::from(message.is_some());
        let sent = match &mut self.unsent {
            Some(unsent) => {
                unsent.queue.append(smallvec![Item { what: framed.into(), messages, replaceable: None }]);
                unsent.promise()
            }
            None => self.send(&mut Framed { bytes: framed.into(), messages }, write),
        };
        self.unsent.iter_mut().for_each(|unsent| unsent.has_goodbye = true);
        sent
    }

    /// Whether the goodbye was said.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the goodbye was said and the queue is flushed.
    pub(crate) fn is_finished(&self) -> bool {
        self.closed && self.unsent.is_none()
    }

    /// Wakes the tasks that wait to flush: the session goes to another transport.
    pub(crate) fn wake_flushers(&mut self) {
        self.unsent.iter_mut().for_each(|unsent| unsent.wake_flushers());
    }

    /// Ends the sink at once, and returns it.
    pub(crate) fn abort(self) -> Arc<dyn Sink> {
        self.sink.abort();
        self.sink
    }

    /// Drops the publications that newer ones replace.
    pub(crate) fn conflate(&mut self, budget: &Budget) {
        self.unsent.iter_mut().for_each(|unsent| unsent.queue.conflate(budget));
    }

    /// Drops the messages that the client did not begin to get, except the goodbye.
    pub(crate) fn shed(&mut self) {
        self.unsent.iter_mut().for_each(|unsent| unsent.queue.shed(unsent.has_goodbye));
    }

    /// The client's backlog at a turn of the clock. Before the client is judged, its sink is tried once more.
    ///
    /// # Errors
    /// The sink is broken.
    pub(crate) fn turn(&mut self, write: &mut WriteContext<'_>) -> io::Result<Backlog> {
        if self.unsent.as_ref().is_some_and(|unsent| unsent.queue.is_due()) {
            match self.try_flush(write) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        let Some(unsent) = &mut self.unsent else { return Ok(Backlog::Nothing) };
        let is_slow = !self.closed && unsent.queue.turn(write.budget);
        Ok(if is_slow { Backlog::Slow } else { Backlog::Waits })
    }

    /// Writes the queue, at once.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]: the sink takes no more now. Any other error: the sink is broken.
    pub(crate) fn try_flush(&mut self, write: &mut WriteContext<'_>) -> io::Result<()> {
        let Some(unsent) = &mut self.unsent else { return Ok(()) };
        while !unsent.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slice, part) in slices.iter_mut().zip(unsent.queue.iter()) {
                *slice = IoSlice::new(part);
                count += 1;
            }
            match self.sink.try_write(slices.get(..count).unwrap_or_default()) {
                Ok(written) => {
                    write.budget.metrics.fan_out.writes.inc();
                    write.went += unsent.queue.consume(written, write.budget);
                }
                Err(error) => {
                    unsent.queue.refused(write.budget);
                    return Err(error);
                }
            }
        }
        self.unsent = None;
        if self.finishes {
            self.sink.finish();
        }
        Ok(())
    }

    /// [`Link::try_flush`], which wakes the task when the sink takes more.
    pub(crate) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        write: &mut WriteContext<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.try_flush(write) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.sink.poll_writable(cx)?.is_pending() {
                        self.unsent.iter_mut().for_each(|unsent| unsent.wait(cx.waker()));
                        return Poll::Pending;
                    }
                }
                flushed => return Poll::Ready(flushed),
            }
        }
    }
}

/// The queue's items: one a frame if newer publications may replace older ones, else one `whole`.
fn items<O: Outgoing>(
    outgoing: &mut O,
    transport: &'static dyn Transport,
    whole: impl FnOnce(&mut O) -> Bytes,
) -> Items<Bytes> {
    let Some(channel) = outgoing.replaceable() else {
        return smallvec![Item { messages: outgoing.count(), what: whole(outgoing), replaceable: None }];
    };
    let mut items = Items::new();
    outgoing.frames(transport, &mut |what| {
        items.push(Item { what, messages: 1, replaceable: Some(channel.clone()) });
    });
    items
}

impl Unsent {
    fn promise(&mut self) -> Sent {
        if std::mem::replace(&mut self.promised, true) { Sent::Done } else { Sent::NeedsFlush }
    }

    fn wait(&mut self, flusher: &Waker) {
        if !self.flushers.iter().any(|waits| waits.will_wake(flusher)) {
            self.flushers.push(flusher.clone());
        }
    }

    fn wake_flushers(&mut self) {
        self.flushers.drain(..).for_each(Waker::wake);
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.wake_flushers();
    }
}
