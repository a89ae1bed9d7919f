//! What was sent against what each client saw. No clock, no socket: sightings in, a verdict out.

use std::fmt;

use serde::Serialize;

/// Faults that are told one by one; all are counted.
const EXAMPLES: usize = 20;

/// What a client saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// A message by its publisher and number, both counted from 0.
    Message {
        /// Who sent it.
        publisher: usize,
        /// Which of the sender's messages it is.
        number: usize,
        /// Whether it is byte for byte what was sent, and of the same kind.
        intact: bool,
    },
    /// Anything else.
    Foreign,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// It was sent, and never came.
    Lost,
    /// It came again.
    Doubled,
    /// It came after a later one of the same publisher.
    OutOfOrder,
    /// It came, with other bytes or as the other kind.
    Damaged,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What it is.
    pub kind: FaultKind,
    /// Which client's view it is in.
    pub client: usize,
    /// Who sent the message.
    pub publisher: usize,
    /// Which of the sender's messages it is.
    pub number: usize,
}

/// The sum of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Messages sent, times clients.
    pub expected: u64,
    /// Messages of this run that came, those that came twice counted twice.
    pub received: u64,
    /// Sent, and never seen by a client.
    pub lost: u64,
    /// Seen again by a client.
    pub doubled: u64,
    /// Seen by a client after a later one of the same publisher.
    pub out_of_order: u64,
    /// Seen with other bytes or as the other kind.
    pub damaged: u64,
    /// Seen, and not of this run.
    pub foreign: u64,
    /// The first faults.
    pub examples: Vec<Fault>,
}

/// Holds what each client saw.
#[derive(Debug)]
pub struct Checker {
    publishers: usize,
    messages: usize,
    /// One view for each client and publisher: client by client.
    views: Vec<View>,
    verdict: Verdict,
}

/// What one client saw of one publisher.
#[derive(Debug, Clone)]
struct View {
    seen: Vec<bool>,
    /// How many are seen.
    count: usize,
    /// One more than the highest number seen.
    next: usize,
}

impl Checker {
    /// Nothing is seen yet.
    #[must_use]
    pub fn new(clients: usize, publishers: usize, messages: usize) -> Self {
        let view = View { seen: vec![false; messages], count: 0, next: 0 };
        Self { publishers, messages, views: vec![view; clients * publishers], verdict: Verdict::default() }
    }

    /// Notes what a client saw next.
    pub fn saw(&mut self, client: usize, sighting: &Sighting) {
        let Sighting::Message { publisher, number, intact } = *sighting else {
            self.verdict.foreign += 1;
            return;
        };
        let is_known = publisher < self.publishers && number < self.messages;
        let view = self.views.get_mut(client * self.publishers + publisher).filter(|_| is_known);
        let Some((seen, view)) = view.and_then(|view| view.note(number)) else {
            self.verdict.foreign += 1;
            return;
        };
        let fault = match (seen, view) {
            (true, _) => Some(FaultKind::Doubled),
            (false, true) => Some(FaultKind::OutOfOrder),
            (false, false) => None,
        };
        self.verdict.received += 1;
        let damage = (!intact).then_some(FaultKind::Damaged);
        for kind in fault.into_iter().chain(damage) {
            self.verdict.add(Fault { kind, client, publisher, number });
        }
    }

    /// Messages of this run that came, copies included.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.verdict.received
    }

    /// Whether every client saw the first `sent[p]` messages of every publisher `p`.
    #[must_use]
    pub fn is_complete(&self, sent: &[usize]) -> bool {
        self.views.iter().zip(sent.iter().cycle()).all(|(view, sent)| view.count >= *sent)
    }

    /// Judges, when nothing more is to come.
    #[must_use]
    pub fn verdict(&self, sent: &[usize]) -> Verdict {
        let mut verdict = self.verdict.clone();
        for (place, (view, sent)) in self.views.iter().zip(sent.iter().cycle()).enumerate() {
            verdict.expected += *sent as u64;
            let (client, publisher) = (place / self.publishers, place % self.publishers);
            for (number, _) in view.seen.iter().take(*sent).enumerate().filter(|(_, seen)| !**seen) {
                verdict.add(Fault { kind: FaultKind::Lost, client, publisher, number });
            }
        }
        verdict
    }
}

impl View {
    /// Marks a message: whether it was seen before, and whether a later one was.
    fn note(&mut self, number: usize) -> Option<(bool, bool)> {
        let seen = self.seen.get_mut(number)?;
        let (was_seen, is_late) = (*seen, number < self.next);
        *seen = true;
        self.count += usize::from(!was_seen);
        self.next = self.next.max(number + 1);
        Some((was_seen, is_late))
    }
}

impl Verdict {
    /// Whether nothing is wrong.
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
