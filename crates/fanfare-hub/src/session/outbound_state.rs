//! The state of a session's sending half: without a transport, on a transport, or ended at once.
//!
//! A one-shot sink (the answer to a poll) is kept beside the messages that wait. Once there are messages, it takes all
//! of them as one write. Messages that it does not take stay for the next sink: a client that gave up its poll loses
//! nothing.

use std::{
    io::{self, IoSlice},
    sync::Arc,
};

use fanfare_core::{Goodbye, Message, Sink, Transport};

use crate::{
    session::{
        link::{Finish, Link, Sent, WriteContext},
        outgoing::Outgoing,
        queue::{Item, Items, Queue},
        traffic::Traffic,
    },
    upkeep::budget::Budget,
};

pub(crate) enum State {
    /// Without a transport, or with a one-shot sink.
    Detached(Box<Waiting>),
    Attached(Link),
    /// Broken, or ended at once. The sink is kept as long as the transport may be read: its resources belong to both
    /// halves.
    Aborted(Option<Arc<dyn Sink>>),
}

/// The messages that wait for a transport, not framed yet.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) queue: Queue<Message>,
    goodbye: Option<(Goodbye, Finish)>,
    /// The one-shot sink, while it waits for messages.
    poll: Option<OneShot>,
}

struct OneShot {
    transport: &'static dyn Transport,
    sink: Arc<dyn Sink>,
}

impl State {
    pub(crate) fn attach(
        &mut self,
        transport: &'static dyn Transport,
        sink: Arc<dyn Sink>,
        write: &mut WriteContext<'_>,
    ) -> Sent {
        let waiting = match self {
            Self::Detached(waiting) if waiting.poll.is_none() => waiting,
            Self::Aborted(kept @ None) => {
                sink.abort();
                *kept = Some(sink);
                return Sent::Broken;
            }
            _ => {
                sink.abort();
                return Sent::Broken;
            }
        };
        if sink.is_one_shot() {
            waiting.poll = Some(OneShot { transport, sink });
            let has_something = !waiting.queue.is_empty() || waiting.goodbye.is_some();
            return if has_something { self.answer_poll(write) } else { Sent::Done };
        }
        let Waiting { queue, goodbye, .. } = std::mem::take(&mut **waiting);
        let framed = queue.into_items().map(|item| {
            let mut framed = Vec::new();
            transport.frame(&item.what, &mut framed);
            Item { what: framed.into(), messages: item.messages, replaceable: item.replaceable }
        });
        let mut link = Link::new(transport, sink);
        let resumed = link.resume(framed, write);
        *self = Self::Attached(link);
        let sent = self.flushed(resumed);
        match goodbye {
            Some((goodbye, finish)) if sent != Sent::Broken => {
                match self.close(&goodbye, finish, write) {
                    // The goodbye is queued behind messages that nobody flushes yet.
                    Sent::Written | Sent::Done => sent,
                    closed => closed,
                }
            }
            _ => sent,
        }
    }

    #[inline]
    pub(crate) fn send(
        &mut self,
        outgoing: &mut impl Outgoing,
        write: &mut WriteContext<'_>,
        defer: bool,
    ) -> Sent {
        let sent = match self {
            Self::Attached(link) if defer => link.defer(outgoing, write),
            Self::Attached(link) => link.send(outgoing, write),
            Self::Detached(_) | Self::Aborted(_) => return self.hold(outgoing, write, defer),
        };
        self.unless_broken(sent)
    }

    /// Keeps messages for the next transport, or answers the poll that waits for them.
    #[cold]
    fn hold(&mut self, outgoing: &mut impl Outgoing, write: &mut WriteContext<'_>, defer: bool) -> Sent {
        let Self::Detached(waiting) = self else { return Sent::Done };
        if waiting.goodbye.is_some() {
            return Sent::Done;
        }
        let held = waiting.hold(outgoing, write.budget);
        match waiting.poll {
            None => held,
            Some(_) if held == Sent::Overflow => held,
            Some(_) if defer => Sent::NeedsFlush,
            Some(_) => self.answer_poll(write),
        }
    }

    pub(crate) fn flush(&mut self, write: &mut WriteContext<'_>) -> Sent {
        match self {
            Self::Attached(link) => {
                let flushed = link.try_flush(write);
                self.flushed(flushed)
            }
            Self::Detached(waiting) if !waiting.queue.is_empty() => self.answer_poll(write),
            Self::Detached(_) | Self::Aborted(_) => Sent::Done,
        }
    }

    /// Takes the session off its transport: the caller flushes the link that was left. A poll is answered with the
    /// messages that wait. `None`: no link is left, or the goodbye was said, which the link still sends.
    pub(crate) fn detach(&mut self, write: &mut WriteContext<'_>) -> Option<Link> {
        match self {
            Self::Attached(link) if !link.is_closed() => link.wake_flushers(),
            Self::Detached(_) => {
                // Nothing to report: a poll that was given up takes nothing.
                let _ = self.answer_poll(write);
                return None;
            }
            Self::Attached(_) | Self::Aborted(_) => return None,
        }
        match std::mem::replace(self, Self::Detached(Box::default())) {
            Self::Attached(link) => Some(link),
            Self::Detached(_) | Self::Aborted(_) => None,
        }
    }

    /// Answers the poll, if one waits, with the messages that wait and the goodbye behind them.
    fn answer_poll(&mut self, write: &mut WriteContext<'_>) -> Sent {
        let Self::Detached(waiting) = self else { return Sent::Done };
        let Some(poll) = waiting.poll.take() else { return Sent::Done };
        let goodbye = waiting.goodbye.as_ref().map(|(goodbye, _)| goodbye);
        let farewell = goodbye.and_then(|goodbye| goodbye.message.clone());
        let messages: Vec<_> = waiting.queue.iter().cloned().chain(farewell).collect();
        let Some(bytes) = poll.answer(&messages, goodbye) else { return Sent::Buffered };
        write.went += Traffic { messages: messages.len() as u64, bytes };
        match goodbye {
            Some(_) => *self = Self::Aborted(None),
            None => waiting.queue = Queue::default(),
        }
        Sent::Written
    }

    #[inline]
    pub(crate) fn unless_broken(&mut self, sent: Sent) -> Sent {
        if sent == Sent::Broken {
            self.abort();
        }
        sent
    }

    pub(crate) fn close(&mut self, goodbye: &Goodbye, finish: Finish, write: &mut WriteContext<'_>) -> Sent {
        let sent = match self {
            Self::Detached(waiting) => {
                waiting.goodbye.get_or_insert_with(|| (goodbye.clone(), finish));
                // Nothing to report: a poll that was given up takes nothing.
                let _ = self.answer_poll(write);
                return Sent::Done;
            }
            Self::Attached(link) => link.close(goodbye, finish, write),
            Self::Aborted(_) => return Sent::Done,
        };
        self.unless_broken(sent)
    }

    pub(crate) fn flushed(&mut self, flushed: io::Result<()>) -> Sent {
        match flushed {
            Ok(()) => Sent::Done,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::NeedsFlush,
            Err(_) => {
                self.abort();
                Sent::Broken
            }
        }
    }

    pub(crate) fn abort(&mut self) {
        let sink = match std::mem::replace(self, Self::Aborted(None)) {
            Self::Attached(link) => Some(link.abort()),
            Self::Aborted(sink) => sink,
            Self::Detached(waiting) => waiting.poll.map(|poll| {
                poll.sink.abort();
                poll.sink
            }),
        };
        *self = Self::Aborted(sink);
    }
}

impl OneShot {
    /// Writes the messages and the goodbye at once. The number of bytes; `None`: the sink did not take them.
    fn answer(&self, messages: &[Message], goodbye: Option<&Goodbye>) -> Option<u64> {
        let mut body = Vec::new();
        self.transport.frame_all(messages, &mut body);
        if let Some(frame) = goodbye.and_then(|goodbye| goodbye.frame.as_ref()) {
            self.transport.close(frame, &mut body);
        }
        if !matches!(self.sink.try_write(&[IoSlice::new(&body)]), Ok(written) if written == body.len()) {
            self.sink.abort();
            return None;
        }
        self.sink.finish();
        Some(body.len() as u64)
    }
}

impl Waiting {
    /// Whether a poll waits for its answer.
    pub(crate) fn is_polled(&self) -> bool {
        self.poll.is_some()
    }

    fn hold(&mut self, outgoing: &mut impl Outgoing, budget: &Arc<Budget>) -> Sent {
        let replaceable = outgoing.replaceable();
        let mut items = Items::new();
        outgoing
            .messages(&mut |what| items.push(Item { what, messages: 1, replaceable: replaceable.clone() }));
        let is_first = self.queue.is_empty();
        self.queue.refused(budget);
        match self.queue.push(items, budget) {
            false => Sent::Overflow,
            true if is_first => Sent::Buffered,
            true => Sent::Done,
        }
    }
}
