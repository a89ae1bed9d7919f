//! Whether what came is what had to come. No clock, no socket: the record in, a verdict out.
//!
//! Rules:
//! - A session hears each message at most once, and those of one sender's session in their order. No excuse.
//! - A session hears every message of its channel that was sent after its 101 and before its end. Excused is a message
//!   that reached nobody and whose sender was told so by the end of its session (refused, unknown, or a connection that
//!   broke), if it was sent during a fault; and one that others heard, or that was sent, while the listener's node or the
//!   sender's counted an interruption.
//! - Where a sender was told that a message was refused, the last it sent reached nobody: of a session's messages,
//!   after the first that fails all later ones do.

mod verdict;

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    time::Duration,
};

pub use self::verdict::{Verdict, Wrong};
use super::{
    Back,
    interruptions::Interruption,
    record::{End, Record, Session, Time},
};

/// What may be under way: a message sent so long before something happened may still be hit by it. More than a message
/// needs on a busy machine.
pub const UNDER_WAY: Duration = Duration::from_secs(3);

/// How far apart two nodes may hear the same message, and the time is off at which an interruption is seen.
pub const APART: Duration = Duration::from_millis(500);

/// All that is known.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What the clients know.
    pub record: &'a Record,
    /// From the beginning of each fault until everything flowed again.
    pub faults: &'a [Range<Time>],
    /// What the nodes counted. Their numbers are those of the entrances.
    pub interruptions: &'a [Interruption],
}

/// Judges.
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

/// Of each session's messages, up to the last that somebody heard: when it was first heard.
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

/// What a session heard of each other, sorted. What came twice, late, or was never sent is wrong.
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

/// One listener and one sender of its channel, each with its name.
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

    /// Whether the listener was connected through the whole time that the message needed.
    fn is_owed(&self, number: usize, sent: Time, heard_elsewhere: Option<Time>, last_heard: usize) -> bool {
        let (_, listener) = self.listener;
        let due = heard_elsewhere.map_or(sent + UNDER_WAY, |heard| heard + APART);
        let ended_first = || listener.ended.as_ref().is_some_and(|(at, _)| due >= *at);
        sent > listener.opened && (number < last_heard || !ended_first())
    }

    /// Whether the message fell into an interruption of the listener's node or the sender's.
    fn is_interrupted(
        &self,
        interruptions: &[Interruption],
        sent: Time,
        heard_elsewhere: Option<Time>,
    ) -> bool {
        let (earliest, latest) = match heard_elsewhere {
            Some(heard) => (heard.saturating_sub(APART), heard + APART),
            None => (sent, sent + UNDER_WAY),
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
    faults.iter().any(|fault| sent + UNDER_WAY >= fault.start && sent < fault.end)
}

impl Verdict {
    /// Counts the messages that reached nobody, by what their senders were told.
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

/// How sessions ended, by the entrance they were at.
pub(super) fn ends(record: &Record) -> BTreeMap<(usize, End), usize> {
    let mut ends = BTreeMap::new();
    for session in &record.sessions {
        if let Some((_, end)) = &session.ended {
            *ends.entry((session.entrance, end.clone())).or_default() += 1;
        }
    }
    ends
}

#[cfg(test)]
mod tests;
