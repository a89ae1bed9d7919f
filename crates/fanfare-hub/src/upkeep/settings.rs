//! Limits and namespaces, which change while the hub runs.
//!
//! Invariants
//! - A reload ends no session, and takes no channel from one. The new rules judge later commands, and the bytes that
//!   wait.
//! - A setting that is read for every message costs a load without a lock.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use fanfare_core::{Limits, Namespaces};

use crate::{
    delivery::dispatcher::Dispatcher,
    session::{incomplete::BufferBound, publish_budget::PublishBudget},
    upkeep::budget::Budget,
};

/// The limits of a node, and all parts that keep one.
pub struct Settings {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) publish_budget: Arc<PublishBudget>,
    pub(crate) buffer_bound: Arc<BufferBound>,
    pub(crate) limits: Arc<ArcSwap<Limits>>,
    pub(crate) message_bytes: usize,
}

impl Settings {
    /// The limits at this moment.
    #[must_use]
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    /// [`Limits::message_bytes`], at the price of a load. It never changes: the broker has it too.
    #[must_use]
    pub fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// The namespaces at this moment.
    #[must_use]
    pub fn namespaces(&self) -> Arc<Namespaces> {
        Guard::into_inner(self.dispatcher.namespaces())
    }

    /// Replaces limits and namespaces, except [`Limits::message_bytes`].
    pub fn reload(&self, limits: &Limits, namespaces: Namespaces) {
        let limits = Limits { message_bytes: self.message_bytes, ..limits.clone() };
        self.dispatcher.reload(namespaces, &limits);
        self.budget.set(&limits);
        self.publish_budget.set(&limits);
        self.buffer_bound.set(&limits);
        self.limits.store(limits.into());
    }
}
