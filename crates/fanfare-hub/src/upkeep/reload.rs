//! Limits and namespaces that change while the hub is at work.
//!
//! Invariants
//! - A reload ends no session, and takes no channel from one: what a client holds it keeps. Only what it asks for from
//!   then on, and what waits for it, is judged by the new rules.
//! - What is read for every message costs a load without a lock.

use fanfare_core::{Limits, Namespaces};

use crate::hub::Hub;

impl Hub {
    /// From now on with these. [`Limits::message_bytes`] stays what it was: the broker has it too.
    pub fn reload(&self, limits: &Limits, namespaces: Namespaces) {
        let limits = Limits { message_bytes: self.message_bytes(), ..limits.clone() };
        self.dispatcher().reload(namespaces, &limits);
        self.budget().set(&limits);
        self.publish_budget.set(&limits);
        self.incomplete.set(&limits);
        self.limits.store(limits.into());
    }
}
