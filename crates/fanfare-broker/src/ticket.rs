//! One publish that waits for its answer.
//!
//! Invariants:
//! - A ticket is answered exactly once. One that was not answered is answered when it is dropped.
//! - A failure is marked on the publish order before it is answered.

use std::sync::Arc;

use fanfare_core::{
    PublishError, Taken,
    broker::{Done, PublishOrder},
};
use tokio::time::Instant;

use crate::metrics::Metrics;

/// Why a publish is refused once the broker has ended.
pub(crate) const STOPPING: &str = "this node is stopping";

/// Why a publish is refused behind a failure.
pub(crate) const ORDER_FAILED: &str = "an earlier message of this publisher failed";

/// Answers a publish; see the head of this file.
pub(crate) struct Ticket {
    done: Option<Done>,
    order: Option<Arc<PublishOrder>>,
    metrics: Arc<Metrics>,
    /// When it was handed over.
    since: Instant,
    /// Whether a byte of it may have been written. Then its outcome is unknown if it is dropped without an answer.
    pub(crate) written: bool,
}

impl Ticket {
    /// For a publish that is handed over now.
    pub(crate) fn new(done: Done, order: Option<Arc<PublishOrder>>, metrics: Arc<Metrics>) -> Self {
        Self { done: Some(done), order, metrics, since: Instant::now(), written: false }
    }

    /// When it was handed over.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Its publish order; `None` for a publish of the server.
    pub(crate) fn order(&self) -> Option<&PublishOrder> {
        self.order.as_deref()
    }

    /// Whether an earlier publish of its order failed.
    pub(crate) fn order_failed(&self) -> bool {
        self.order.as_ref().is_some_and(|order| order.has_failed())
    }

    /// The broker took it.
    pub(crate) fn taken(mut self, taken: Taken) {
        self.metrics.taken(self.since.elapsed());
        if taken.duplicate {
            self.metrics.duplicates.inc();
        } else if taken.position.is_some() {
            self.metrics.kept.inc();
        }
        if let Some(done) = self.done.take() {
            done(Ok(taken));
        }
    }

    /// The broker did not take it.
    pub(crate) fn refuse(mut self, why: impl Into<String>) {
        self.fail(PublishError::Refused(why.into()));
    }

    /// The broker's rules forbid its channel.
    pub(crate) fn forbid(mut self, why: impl Into<String>) {
        self.fail(PublishError::Forbidden(why.into()));
    }

    fn fail(&mut self, error: PublishError) {
        let Some(done) = self.done.take() else { return };
        let after = self.since.elapsed();
        match error {
            PublishError::Refused(_) | PublishError::Forbidden(_) => self.metrics.refused(after),
            PublishError::Unknown => self.metrics.unknown(after),
        }
        if let Some(order) = &self.order {
            order.fail();
        }
        done(Err(error));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.done.is_none() {
            return;
        }
        let error =
            if self.written { PublishError::Unknown } else { PublishError::Refused(STOPPING.to_owned()) };
        self.fail(error);
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("written", &self.written).finish_non_exhaustive()
    }
}
