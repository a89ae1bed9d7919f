//! Items that are refused, or whose outcome is unknown.

use fanfare_core::broker::PublishOrder;

use super::Pipeline;
use crate::{
    fair_queue::Waiting,
    redis::publisher::outgoing::{Outgoing, OutgoingMessage},
    ticket::ORDER_FAILED,
};

impl Pipeline {
    pub(super) fn refuse_failed_orders(&mut self) {
        let next = std::mem::take(&mut self.next);
        self.next = next.into_iter().filter_map(Self::refuse_if_order_failed).collect();
        for item in self.backlog.take_if(|item| order_failed(item)) {
            self.refuse(*item, ORDER_FAILED);
        }
    }

    pub(super) fn refuse(&self, item: Outgoing, why: &str) {
        match item.message {
            OutgoingMessage::Publication { ticket, .. } => ticket.refuse(why),
            OutgoingMessage::Control { .. } => {
                self.metrics.broker.controls_refused.inc();
                tracing::warn!("a control message was not sent: {why}");
            }
        }
    }

    /// Its outcome is unknown. A ticket says so when it is dropped.
    pub(super) fn outcome_unknown(&self, item: Outgoing) {
        match item.message {
            OutgoingMessage::Publication { mut ticket, .. } => ticket.written = true,
            OutgoingMessage::Control { .. } => self.metrics.broker.controls_refused.inc(),
        }
    }

    /// Why an item that waited too long is refused.
    pub(super) fn waited(&self, why: &str) -> String {
        format!("it waited {} ms: {why}", self.patience.as_millis())
    }

    /// The item, where no earlier one of its publish order failed.
    pub(super) fn refuse_if_order_failed(item: Box<Outgoing>) -> Option<Box<Outgoing>> {
        if !order_failed(&item) {
            return Some(item);
        }
        if let OutgoingMessage::Publication { ticket, .. } = item.message {
            ticket.refuse(ORDER_FAILED);
        }
        None
    }
}

/// Whether an earlier item of its publish order failed.
fn order_failed(item: &Outgoing) -> bool {
    item.order().is_some_and(PublishOrder::has_failed)
}
