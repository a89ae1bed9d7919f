//! The body of an answer to a poll that waits. Its head is out already: while it waits, no handler holds memory.
//!
//! Invariants
//! - The body is one part, which comes with the first messages, with the session's end, or when the time is over.
//! - Its drop ends the session.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use fanfare_core::{Cursor, Disconnect};
use hyper::body::{Body, Frame};
use tokio::{
    sync::oneshot::Receiver,
    time::{Sleep, sleep},
};

use super::poll_answer::Messages;
use crate::websocket::upgrade::Pending;

/// See the head of this file.
pub(super) struct PollBody {
    answered: Receiver<Messages>,
    until: Pin<Box<Sleep>>,
    cursor: Cursor,
    /// `None`: the answer came.
    session: Option<PollSession>,
}

/// The session of a poll. A client that gives up its poll is lost.
pub(super) struct PollSession(pub(super) Pending);

impl PollSession {
    /// Ends the session of a client that gets its answer: nothing is left to say.
    pub(super) fn finish(self) {
        let Pending { hub, session, .. } = &self.0;
        session.abort();
        hub.goodbyes.end(session, &Disconnect::ByClient(None));
    }
}

impl PollBody {
    /// The body for a client with this cursor, whose session answers, or not within `wait`.
    pub(super) fn new(
        session: PollSession,
        answered: Receiver<Messages>,
        cursor: Cursor,
        wait: Duration,
    ) -> Self {
        Self { answered, until: Box::pin(sleep(wait)), cursor, session: Some(session) }
    }
}

impl Body for PollBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(session) = &self.session else { return Poll::Ready(None) };
        let session_of = session.0.session.clone();
        let messages = match Pin::new(&mut self.answered).poll(cx) {
            Poll::Ready(answered) => answered.unwrap_or_default(),
            Poll::Pending => {
                ready!(self.until.as_mut().poll(cx));
                // From now on nothing is taken. Messages may have come at the last moment.
                session_of.abort();
                self.answered.try_recv().unwrap_or_default()
            }
        };
        self.session.take().into_iter().for_each(PollSession::finish);
        let body = messages.body(std::mem::take(&mut self.cursor), true);
        Poll::Ready(Some(Ok(Frame::data(body))))
    }
}
