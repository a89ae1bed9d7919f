//! The notes of publishers and subscribers.

use std::collections::BTreeMap;

use super::ledger::{Ledger, Name};

/// The notes of a run.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) ledger: Ledger,
    /// Publishes that were repeated, by the reason.
    pub(super) repeated: BTreeMap<String, u64>,
    /// Ends of connections, by reason.
    pub(super) ends: BTreeMap<String, u64>,
    /// Upgrades that failed, by kind.
    pub(super) turned_away: BTreeMap<String, u64>,
    /// Faults that the ledger does not show, a sentence each.
    pub(super) wrong: Vec<String>,
}

impl Notes {
    /// Notes that a message is sent again, and why.
    pub(super) fn repeats(&mut self, name: Name, why: String) {
        *self.repeated.entry(why).or_default() += 1;
        self.ledger.repeated.insert(name);
    }

    /// Notes such a fault, once.
    pub(super) fn wrong(&mut self, what: String) {
        if !self.wrong.contains(&what) {
            self.wrong.push(what);
        }
    }
}
