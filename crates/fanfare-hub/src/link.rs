//! A transport in use: its framing, its sink, and what the sink refused so far.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes};
use fanfare_core::{CloseFrame, Sink, Transport};
use smallvec::SmallVec;

/// How many slices one write gathers (the kernel takes at most 1,024).
const SLICES: usize = 64;

/// What became of bytes that were handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// Written, queued behind others, or not wanted any more.
    Done,
    /// Queued, and nobody flushes yet: the caller does.
    NeedsFlush,
    /// Not taken: more would wait than may.
    Overflow,
    /// The sink is broken; it was aborted.
    Broken,
}

pub(crate) struct Link {
    pub(crate) transport: &'static dyn Transport,
    sink: Box<dyn Sink>,
    /// Boxed: most sessions never have one.
    queue: Option<Box<Queue>>,
    /// Nothing more is taken: the goodbye was said. The sink stays, so that it can still be aborted.
    closed: bool,
}

#[derive(Default)]
struct Queue {
    bytes: usize,
    parts: VecDeque<Bytes>,
    /// The sink refused some of it. What was only deferred is held against nobody.
    refused: bool,
    /// Somebody flushes, or promised to.
    promised: bool,
    /// Who waits to flush it. A sink wakes only who asked last; the others are woken when the queue is gone.
    flushers: SmallVec<[Waker; 1]>,
}

impl Link {
    pub(crate) fn new(transport: &'static dyn Transport, sink: Box<dyn Sink>) -> Self {
        Self { transport, sink, queue: None, closed: false }
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes)
    }

    /// Writes at once what the sink takes, and queues the rest.
    pub(crate) fn write(&mut self, mut bytes: Bytes, bound: usize) -> Sent {
        if self.queue.is_some() || self.closed {
            return self.defer(bytes, bound);
        }
        match self.sink.try_write(&[IoSlice::new(&bytes)]) {
            Ok(written) if written == bytes.len() => return Sent::Done,
            Ok(written) => bytes.advance(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Sent::Broken,
        }
        let sent = self.defer(bytes, bound);
        self.queue.iter_mut().for_each(|queue| queue.refused = true);
        sent
    }

    /// Only queues. A queue that holds nothing the sink refused takes whatever comes.
    pub(crate) fn defer(&mut self, bytes: Bytes, bound: usize) -> Sent {
        if self.closed {
            return Sent::Done;
        }
        let queue = self.queue.get_or_insert_default();
        if queue.refused && queue.bytes + bytes.len() > bound {
            return Sent::Overflow;
        }
        queue.bytes += bytes.len();
        queue.parts.push_back(bytes);
        if std::mem::replace(&mut queue.promised, true) { Sent::Done } else { Sent::NeedsFlush }
    }

    /// Sends the goodbye behind what is queued, then finishes the sink.
    pub(crate) fn close(&mut self, frame: Option<&CloseFrame>) -> Sent {
        let mut framed = Vec::new();
        if let Some(frame) = frame {
            self.transport.close(frame, &mut framed);
        }
        let sent = if framed.is_empty() { Sent::Done } else { self.write(framed.into(), usize::MAX) };
        self.closed = true;
        if self.queue.is_none() {
            self.sink.finish();
        }
        sent
    }

    /// Whether the goodbye was said.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the goodbye was said, and nothing is left to flush.
    pub(crate) fn is_finished(&self) -> bool {
        self.closed && self.queue.is_none()
    }

    /// Wakes those who wait to flush: the session goes to another transport.
    pub(crate) fn wake_flushers(&mut self) {
        self.queue.iter_mut().for_each(|queue| queue.wake_flushers());
    }

    pub(crate) fn abort(&self) {
        self.sink.abort();
    }

    /// Writes what is queued, at once.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where the sink takes no more for now; any other means that it is broken.
    pub(crate) fn try_flush(&mut self) -> io::Result<()> {
        let Some(queue) = &mut self.queue else { return Ok(()) };
        while !queue.parts.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = queue.parts.len().min(SLICES);
            for (slice, part) in slices.iter_mut().zip(&queue.parts) {
                *slice = IoSlice::new(part);
            }
            match self.sink.try_write(slices.get(..count).unwrap_or_default()) {
                Ok(written) => queue.consume(written),
                Err(error) => {
                    queue.refused = true;
                    return Err(error);
                }
            }
        }
        self.queue = None;
        if self.closed {
            self.sink.finish();
        }
        Ok(())
    }

    /// As [`Link::try_flush`], waking the task when the sink takes more.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.try_flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.sink.poll_writable(cx)?.is_pending() {
                        self.queue.iter_mut().for_each(|queue| queue.wait(cx.waker()));
                        return Poll::Pending;
                    }
                }
                flushed => return Poll::Ready(flushed),
            }
        }
    }
}

impl Queue {
    fn wait(&mut self, flusher: &Waker) {
        if !self.flushers.iter().any(|waits| waits.will_wake(flusher)) {
            self.flushers.push(flusher.clone());
        }
    }

    fn wake_flushers(&mut self) {
        self.flushers.drain(..).for_each(Waker::wake);
    }

    fn consume(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(front) = self.parts.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.parts.pop_front();
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.wake_flushers();
    }
}

/// Flushes what a transport still had when its session left it; ends when that is done, or cannot be.
pub struct Draining(pub(crate) Option<Link>);

impl Future for Draining {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(link) => link.poll_flush(cx).map(drop),
            None => Poll::Ready(()),
        }
    }
}
