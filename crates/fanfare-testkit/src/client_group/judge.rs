//! Judges whether the messages came that had to come. Uses the record only: no clock, no socket.
//!
//! Rules:
//! - A session gets each message at most once, and those of one sender's session in their order. Nothing excuses this.
//! - A session gets every message of its channel that was sent after its 101 and before its end. Two kinds of loss are
//!   excused. First, a message of a fault that reached no client, if its sender's session ended by it (refused, unknown,
//!   or a broken connection). Second, a message that others got, or that was sent, while the listener's node or the
//!   sender's node counted an interruption.
//! - If a session ended with "refused", its last message reached no client: after the first message of a session that
//!   fails, all later ones fail.

use std::{collections::HashMap, ops::Range, time::Duration};

use super::{
    evidence::Evidence,
    interruptions::Interruption,
    record::{Back, End, Record, Session, Time},
    verdict::{Verdict, Wrong},
};

/// The longest delivery: a fault may hit a message that was sent this long before. More than a busy machine needs.
pub const LONGEST_DELIVERY: Duration = Duration::from_secs(3);

/// The longest time between the receipts of one message on two nodes, and the error of an interruption's time.
pub const APART: Duration = Duration::from_millis(500);

/// Judges the evidence.
#[must_use]
pub fn judge(name: &'static str, evidence: &Evidence<'_>, back: &[Back]) -> Verdict {
    let record = evidence.record;
    let mut verdict = Verdict::new(name, evidence, back);
    for _ in 0..record.foreign {
        verdict.wrong(Wrong::Foreign);
    }
    let reached = reached(record);
    verdict.count_unreached(record, &reached);
    let last_words = record
        .sessions
        .iter()
        .enumerate()
        .filter(|(_, session)| matches!(session.ended, Some((_, End::Refused))));
    for (name, session) in last_words {
        if !session.sent.is_empty()
            && reached.get(name).is_some_and(|heard| heard.len() == session.sent.len())
        {
            verdict.wrong(Wrong::RefusedAndDelivered { sender: name, number: session.sent.len() - 1 });
        }
    }
    for (name, listener) in record.sessions.iter().enumerate() {
        let heard = in_order(record, name, listener, &mut verdict);
        for (sender, session) in record.sessions.iter().enumerate() {
            if session.channel == listener.channel {
                let pair = Pair { listener: (name, listener), sender: (sender, session) };
                let heard = heard.get(&sender).map(Vec::as_slice).unwrap_or_default();
                let reached = reached.get(sender).map(Vec::as_slice).unwrap_or_default();
                pair.judge(evidence, heard, reached, &mut verdict);
            }
        }
    }
    verdict
}

/// The time of the first receipt of each session's messages, up to the last message with a receipt.
fn reached(record: &Record) -> Vec<Vec<Option<Time>>> {
    let mut reached: Vec<Vec<Option<Time>>> = vec![Vec::new(); record.sessions.len()];
    for heard in record.sessions.iter().flat_map(|session| &session.heard) {
        let is_sent = |session: &&Session| heard.number < session.sent.len();
        if let Some(reached) = reached.get_mut(heard.session)
            && record.sessions.get(heard.session).filter(is_sent).is_some()
        {
            reached.resize(reached.len().max(heard.number + 1), None);
            if let Some(first) = reached.get_mut(heard.number) {
                *first = Some(first.map_or(heard.at, |first| first.min(heard.at)));
            }
        }
    }
    reached
}

/// The messages that a session got of each sender, sorted. Doubled, late and unknown messages are faults.
fn in_order(
    record: &Record,
    name: usize,
    listener: &Session,
    verdict: &mut Verdict,
) -> HashMap<usize, Vec<usize>> {
    let mut all: HashMap<usize, Vec<usize>> = HashMap::new();
    for heard in &listener.heard {
        let was_sent = record
            .sessions
            .get(heard.session)
            .is_some_and(|sender| sender.channel == listener.channel && heard.number < sender.sent.len());
        let (listener, sender, number) = (name, heard.session, heard.number);
        if !was_sent {
            verdict.wrong(Wrong::Foreign);
            continue;
        }
        let numbers = all.entry(heard.session).or_default();
        match numbers.binary_search(&number) {
            Ok(_) => verdict.wrong(Wrong::Doubled { listener, sender, number }),
            Err(place) if place < numbers.len() => {
                verdict.wrong(Wrong::OutOfOrder { listener, sender, number });
                numbers.insert(place, number);
            }
            Err(_) => numbers.push(number),
        }
    }
    verdict.delivered += all.values().map(Vec::len).sum::<usize>();
    all
}

/// A listener and a sender of its channel, each with its name.
struct Pair<'a> {
    listener: (usize, &'a Session),
    sender: (usize, &'a Session),
}

impl Pair<'_> {
    fn judge(
        &self,
        evidence: &Evidence<'_>,
        heard: &[usize],
        reached: &[Option<Time>],
        verdict: &mut Verdict,
    ) {
        let (_, sender) = self.sender;
        let after_hole = heard.last().copied().unwrap_or_default();
        for (number, sent) in sender.sent.iter().enumerate() {
            let elsewhere = reached.get(number).copied().flatten();
            if !self.is_owed(number, *sent, elsewhere, after_hole) || heard.binary_search(&number).is_ok() {
                continue;
            }
            let told = number >= reached.len() && sender.ended.is_some();
            if told && is_during(evidence.faults, *sent) {
                continue;
            }
            let (listener, sender) = (self.listener.0, self.sender.0);
            if self.is_interrupted(evidence.interruptions, *sent, elsewhere) {
                *verdict.interrupted.entry(self.listener.1.entrance).or_default() += 1;
            } else {
                verdict.wrong(Wrong::Lost { listener, sender, number, sent: *sent });
            }
        }
    }

    /// Whether the listener was connected during the whole delivery of the message.
    fn is_owed(&self, number: usize, sent: Time, heard_elsewhere: Option<Time>, last_heard: usize) -> bool {
        let (_, listener) = self.listener;
        let due = heard_elsewhere.map_or(sent + LONGEST_DELIVERY, |heard| heard + APART);
        let ended_first = || listener.ended.as_ref().is_some_and(|(at, _)| due >= *at);
        sent > listener.opened && (number < last_heard || !ended_first())
    }

    /// Whether the message was sent in an interruption of the listener's node or the sender's.
    fn is_interrupted(
        &self,
        interruptions: &[Interruption],
        sent: Time,
        heard_elsewhere: Option<Time>,
    ) -> bool {
        let (earliest, latest) = match heard_elsewhere {
            Some(heard) => (heard.saturating_sub(APART), heard + APART),
            None => (sent, sent + LONGEST_DELIVERY),
        };
        let nodes = [self.listener.1.entrance, self.sender.1.entrance];
        let hit = |node: usize| {
            interruptions.iter().any(|interruption| {
                interruption.node == node && latest >= interruption.from && earliest <= interruption.to
            })
        };
        nodes.into_iter().any(hit)
    }
}

fn is_during(faults: &[Range<Time>], sent: Time) -> bool {
    faults.iter().any(|fault| sent + LONGEST_DELIVERY >= fault.start && sent < fault.end)
}

impl Verdict {
    /// Counts the messages that reached no client, by the end of their sender's session.
    fn count_unreached(&mut self, record: &Record, reached: &[Vec<Option<Time>>]) {
        for (session, reached) in record.sessions.iter().zip(reached) {
            let unreached = session.sent.len() - reached.len();
            match &session.ended {
                Some((_, End::Refused)) => self.refused += unreached,
                Some((_, End::Unknown)) => self.unknown += unreached,
                Some(_) => self.cut_off += unreached,
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
