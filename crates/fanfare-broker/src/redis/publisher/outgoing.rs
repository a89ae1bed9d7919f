//! A message that this node sends through Redis.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use fanfare_core::{
    Attributes, Channel, Payload, Retention, SessionId, TraceContext,
    broker::{PublishOrder, Recipient},
};
use tokio::time::Instant;

use crate::{
    fair_queue::{OVERHEAD, Waiting},
    ticket::Ticket,
};

/// The most bytes of the server's messages that may wait for Redis, or for its answers.
const MAX_BYTES: usize = 64 << 20;

/// One message to publish. It goes from queue to queue in a box: to move its 224 bytes each time costs more than the
/// allocation, above all within the nodes of the backlog.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: OutgoingMessage,
    /// When it was handed over.
    pub(crate) since: Instant,
    /// Its bytes of the budget, where the server sends it.
    pub(crate) _reservation: Option<Reservation>,
}

impl Waiting for Outgoing {
    fn order(&self) -> Option<&PublishOrder> {
        match &self.message {
            OutgoingMessage::Publication { ticket, .. } => ticket.order(),
            OutgoingMessage::Control { .. } => None,
        }
    }

    fn cost(&self) -> usize {
        let bytes = match &self.message {
            OutgoingMessage::Publication { payload, attributes, .. } => {
                payload.len() + attributes.as_ref().map_or(0, |attributes| attributes.bytes())
            }
            OutgoingMessage::Control { body, .. } => body.len(),
        };
        bytes + OVERHEAD
    }

    fn since(&self) -> Instant {
        self.since
    }
}

impl Outgoing {
    /// Whether Redis recognises it when it comes again, because the script publishes it.
    pub(crate) fn needs_script(&self) -> bool {
        match &self.message {
            OutgoingMessage::Publication { retention: Some(_), .. } => true,
            OutgoingMessage::Publication { attributes: Some(attributes), .. } => {
                attributes.idempotency_key.is_some()
            }
            _ => false,
        }
    }

    /// Its idempotency key.
    pub(crate) fn idempotency_key(&self) -> Option<&str> {
        match &self.message {
            OutgoingMessage::Publication { attributes, .. } => {
                attributes.as_ref()?.idempotency_key.as_deref()
            }
            OutgoingMessage::Control { .. } => None,
        }
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) enum OutgoingMessage {
    Publication {
        channel: Channel,
        payload: Payload,
        session: Option<SessionId>,
        trace: Option<TraceContext>,
        attributes: Option<Box<Attributes>>,
        retention: Option<Retention>,
        ticket: Ticket,
    },
    Control {
        to: Recipient,
        body: Bytes,
        /// See [`Content::Control`](crate::envelope::Content::Control).
        sequence: Option<u64>,
    },
}

/// The bytes of the server's messages that wait. Bounded by [`MAX_BYTES`].
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerBudget(Arc<AtomicUsize>);

/// Bytes of the budget. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: ServerBudget,
    bytes: usize,
}

impl ServerBudget {
    /// Reserves bytes for a message of `length` bytes; `None` where the budget is used up.
    pub(crate) fn reserve(&self, length: usize) -> Option<Reservation> {
        let bytes = length + OVERHEAD;
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let reservation = Reservation { budget: self.clone(), bytes };
        (before + bytes <= MAX_BYTES).then_some(reservation)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_bounded_and_given_back() {
        let budget = ServerBudget::default();
        let first = budget.reserve(MAX_BYTES - OVERHEAD).unwrap();
        assert!(budget.reserve(0).is_none());
        drop(first);
        assert!(budget.reserve(MAX_BYTES - OVERHEAD).is_some());
        assert!(budget.reserve(MAX_BYTES).is_none());
    }
}
