//! A transport that its session left, with its queue.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    session::{
        link::{Link, WriteContext},
        state::Session,
    },
    upkeep::budget::Budget,
};

/// Flushes the transport. Ends when all is flushed, or cannot be.
pub struct Detaching(Option<Left>);

struct Left {
    link: Link,
    budget: Arc<Budget>,
    session: Arc<Session>,
}

impl Detaching {
    pub(crate) fn new(session: &Arc<Session>, budget: &Arc<Budget>) -> Self {
        let left = |link| Left { link, budget: budget.clone(), session: session.clone() };
        Self(session.outbound.detach(budget).map(left))
    }
}

impl Future for Detaching {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(Left { link, budget, session }) = &mut self.0 else { return Poll::Ready(()) };
        let mut write = WriteContext::new(budget);
        let flushed = link.poll_flush(cx, &mut write);
        session.outbound.left_behind(write.went);
        budget.metrics.sent.add(write.went);
        flushed.map(drop)
    }
}
