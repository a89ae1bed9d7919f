//! The items that are written again. No I/O, no clock.
//!
//! Invariants:
//! - They are written in the order in which they were written first, ahead of all items that wait.
//! - An item that may have run keeps its sequence, by which the script recognises it. An item that did not run, because
//!   Redis did not have the script, gets a new one: later ones of its channel may have run meanwhile.
//! - An item that may have run is never refused for its wait: it becomes unknown in the end.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::{outgoing::OutgoingMessage, under_way::Attempt};

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Replays(VecDeque<Attempt>);

impl Replays {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes one more.
    pub(super) fn insert(&mut self, mut attempt: Attempt) {
        if let OutgoingMessage::Publication { ticket, .. } = &mut attempt.item.message {
            // A ticket that is dropped says that its outcome is unknown.
            ticket.written = attempt.may_have_run;
        }
        let at = self.0.partition_point(|other| other.place < attempt.place);
        self.0.insert(at, attempt);
    }

    /// The next one.
    pub(super) fn pop(&mut self) -> Option<Attempt> {
        self.0.pop_front()
    }

    /// Drops those that may have run: this Redis does not know.
    pub(super) fn forget_run(&mut self) {
        self.0.retain(|attempt| !attempt.may_have_run);
    }

    /// When the first will have waited too long. One that did not run waits as long as `patience`.
    pub(super) fn next_deadline(&self, patience: Duration) -> Option<Instant> {
        self.0.iter().map(|attempt| attempt.deadline(patience)).min()
    }

    /// Takes one that has waited too long.
    pub(super) fn pop_expired(&mut self, now: Instant, patience: Duration) -> Option<Attempt> {
        let at = self.0.iter().position(|attempt| attempt.deadline(patience) <= now)?;
        self.0.remove(at)
    }
}
