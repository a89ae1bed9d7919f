//! What this node sends through Redis.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use fanfare_core::{
    Channel, Payload, SessionId, TraceContext,
    broker::{PublishOrder, Recipient},
};
use tokio::time::Instant;

use crate::{
    fair::{OVERHEAD, Waiting},
    ticket::Ticket,
};

/// How many bytes of what the server sends may wait for Redis, or for its answers.
const MAX_BYTES: usize = 64 << 20;

/// One thing to publish.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) what: What,
    /// When it was handed over.
    pub(crate) since: Instant,
    /// Its share of what may wait, where it is the server's.
    pub(crate) _room: Option<Room>,
}

impl Waiting for Outgoing {
    fn order(&self) -> Option<&PublishOrder> {
        match &self.what {
            What::Publication { ticket, .. } => ticket.order(),
            What::Control { .. } => None,
        }
    }

    fn cost(&self) -> usize {
        let payload = match &self.what {
            What::Publication { payload, .. } => payload.len(),
            What::Control { body, .. } => body.len(),
        };
        payload + OVERHEAD
    }

    fn since(&self) -> Instant {
        self.since
    }
}

/// What to publish.
#[derive(Debug)]
pub(crate) enum What {
    Publication {
        channel: Channel,
        payload: Payload,
        session: Option<SessionId>,
        trace: Option<TraceContext>,
        ticket: Ticket,
    },
    Control {
        to: Recipient,
        body: Bytes,
    },
}

/// How much of the server's waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backlog(Arc<AtomicUsize>);

/// A share of what may wait, given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    backlog: Backlog,
    bytes: usize,
}

impl Backlog {
    /// Room for a payload of `length` bytes, if there is any.
    pub(crate) fn room(&self, length: usize) -> Option<Room> {
        let bytes = length + OVERHEAD;
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let room = Room { backlog: self.clone(), bytes };
        (before + bytes <= MAX_BYTES).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.backlog.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_given_back() {
        let backlog = Backlog::default();
        let first = backlog.room(MAX_BYTES - OVERHEAD).unwrap();
        assert!(backlog.room(0).is_none());
        drop(first);
        assert!(backlog.room(MAX_BYTES - OVERHEAD).is_some());
        assert!(backlog.room(MAX_BYTES).is_none());
    }
}
