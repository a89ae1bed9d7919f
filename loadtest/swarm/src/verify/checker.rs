//! Compares what each client saw with what was sent. No clock, no socket: sightings in, a verdict out.

use std::fmt;

use serde::Serialize;

use crate::sequence::{Receipt, Seen};

/// Faults that are named. All are counted.
const EXAMPLES: usize = 20;

/// A message that a client saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// A message of this run. Publishers and numbers count from 0.
    Message {
        /// The publisher.
        publisher: usize,
        /// The message's number among those of the publisher.
        number: usize,
        /// Whether bytes and kind are those that were sent.
        intact: bool,
    },
    /// Another message.
    Foreign,
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The message never came.
    Lost,
    /// The message came again.
    Doubled,
    /// The message came after a later one of the same publisher.
    OutOfOrder,
    /// The message came with other bytes or as the other kind.
    Damaged,
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// The client that saw the fault.
    pub client: usize,
    /// The publisher of the message.
    pub publisher: usize,
    /// The message's number among those of the publisher.
    pub number: usize,
}

/// The counts of all clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Messages sent, times clients.
    pub expected: u64,
    /// Messages of this run that came, with copies.
    pub received: u64,
    /// Messages that a client never saw.
    pub lost: u64,
    /// Messages that a client saw again.
    pub doubled: u64,
    /// Messages that a client saw after a later one of the same publisher.
    pub out_of_order: u64,
    /// Messages that came with other bytes or as the other kind.
    pub damaged: u64,
    /// Messages of another run.
    pub foreign: u64,
    /// The first faults.
    pub examples: Vec<Fault>,
}

/// The messages that each client saw.
#[derive(Debug)]
pub struct Checker {
    publishers: usize,
    messages: usize,
    /// The numbers that each client saw of each publisher: client by client.
    seen: Vec<Seen>,
    verdict: Verdict,
}

impl Checker {
    /// A checker for clients that saw nothing yet.
    #[must_use]
    pub fn new(clients: usize, publishers: usize, messages: usize) -> Self {
        let seen = vec![Seen::default(); clients * publishers];
        Self { publishers, messages, seen, verdict: Verdict::default() }
    }

    /// Notes the next message of a client.
    pub fn saw(&mut self, client: usize, sighting: &Sighting) {
        let Sighting::Message { publisher, number, intact } = *sighting else {
            self.verdict.foreign += 1;
            return;
        };
        let is_known = publisher < self.publishers && number < self.messages;
        let seen = self.seen.get_mut(client * self.publishers + publisher).filter(|_| is_known);
        let (Some(seen), Ok(place)) = (seen, u32::try_from(number)) else {
            self.verdict.foreign += 1;
            return;
        };
        let fault = match seen.note(place) {
            Receipt::Doubled => Some(FaultKind::Doubled),
            Receipt::OutOfOrder => Some(FaultKind::OutOfOrder),
            Receipt::InOrder => None,
        };
        self.verdict.received += 1;
        let damage = (!intact).then_some(FaultKind::Damaged);
        for kind in fault.into_iter().chain(damage) {
            self.verdict.add(Fault { kind, client, publisher, number });
        }
    }

    /// The number of messages of this run that came, with copies.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.verdict.received
    }

    /// Whether every client saw the first `sent[p]` messages of every publisher `p`.
    #[must_use]
    pub fn is_complete(&self, sent: &[usize]) -> bool {
        self.seen.iter().zip(sent.iter().cycle()).all(|(seen, sent)| seen.count() >= *sent as u64)
    }

    /// The verdict, when nothing more is to come.
    #[must_use]
    pub fn verdict(&self, sent: &[usize]) -> Verdict {
        let mut verdict = self.verdict.clone();
        for (place, (seen, sent)) in self.seen.iter().zip(sent.iter().cycle()).enumerate() {
            verdict.expected += *sent as u64;
            let (client, publisher) = (place / self.publishers, place % self.publishers);
            for number in seen.missing(u32::try_from(*sent).unwrap_or(u32::MAX)) {
                let number = number as usize;
                verdict.add(Fault { kind: FaultKind::Lost, client, publisher, number });
            }
        }
        verdict
    }
}

impl Verdict {
    /// Whether the run has no fault.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.lost == 0
            && self.doubled == 0
            && self.out_of_order == 0
            && self.damaged == 0
            && self.foreign == 0
    }

    fn add(&mut self, fault: Fault) {
        *match fault.kind {
            FaultKind::Lost => &mut self.lost,
            FaultKind::Doubled => &mut self.doubled,
            FaultKind::OutOfOrder => &mut self.out_of_order,
            FaultKind::Damaged => &mut self.damaged,
        } += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(fault);
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, client, publisher, number } = self;
        let kind = match kind {
            FaultKind::Lost => "lost",
            FaultKind::Doubled => "doubled",
            FaultKind::OutOfOrder => "out of order",
            FaultKind::Damaged => "damaged",
        };
        write!(out, "client {client}: message {number} of publisher {publisher} {kind}")
    }
}

#[cfg(test)]
mod tests;
