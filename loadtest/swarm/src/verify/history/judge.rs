//! Judges whether every acknowledged message reached every subscriber exactly once, in order. Uses the ledger and the
//! final histories only: no clock, no socket.
//!
//! - The final history of a channel is the truth about its epoch. An acknowledged message is in it once, at its position.
//! - A subscriber gets all of the final epoch behind its first position, in the order of the offsets.
//! - If Redis lost its memory, earlier epochs are known by their acknowledgements only. A subscriber may miss the last
//!   messages of such an epoch if it was told, and then gets all of the next epoch. It may get a message that was repeated
//!   once more before it is told: the new epoch does not know the message.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::ledger::{Fate, Ledger, Life, Name, Received};
use crate::{
    position::Position,
    sequence::{Receipt, Seen},
};

/// Faults that are named. All are counted.
const EXAMPLES: usize = 20;

/// The final history of a channel.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its newest position.
    pub top: Position,
    /// The offset and the message of each publication since the start, in order; `None` for one that is not of this run.
    pub messages: Vec<(u64, Option<Name>)>,
}

/// The counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Messages that subscribers got, with copies.
    pub delivered: u64,
    /// Messages that a subscriber did not get, or that are not in the history although they were acknowledged.
    pub lost: u64,
    /// Messages that a subscriber got again, or that are in the history again.
    pub doubled: u64,
    /// Messages that a subscriber got behind a later one, or that stand in the history behind a later one of their
    /// publisher.
    pub reordered: u64,
    /// The number of times that a subscriber was told that its position cannot be recovered.
    pub told: u64,
    /// Messages that are not of this run, or not of their channel.
    pub foreign: u64,
    /// Acknowledged messages that Redis lost with its memory.
    pub forgotten: u64,
    /// Messages that were sent and never acknowledged.
    pub unacknowledged: u64,
    /// Messages whose publisher got no answer and went on. They are there once, or not at all.
    pub unknown: u64,
    /// Whether Redis may have lost its memory.
    pub may_forget: bool,
    /// The first faults.
    pub examples: Vec<String>,
}

impl Verdict {
    /// Whether the run has no fault.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.acknowledged > 0
            && self.delivered > 0
            && self.lost == 0
            && self.doubled == 0
            && self.reordered == 0
            && self.foreign == 0
            && self.unacknowledged == 0
            && (self.may_forget || (self.told == 0 && self.forgotten == 0))
    }
}

/// Judges the notes of a run by the final history of each channel.
#[must_use]
pub fn judge(ledger: &Ledger, histories: &[Kept], may_forget: bool) -> Verdict {
    let mut judge = Judge { verdict: Verdict { may_forget, ..Verdict::default() } };
    let channels: Vec<Channel<'_>> =
        (0..).zip(histories).map(|(channel, kept)| judge.channel(ledger, channel, kept)).collect();
    for (number, subscriber) in ledger.subscribers.iter().enumerate() {
        if let Some(channel) = channels.get(subscriber.channel) {
            judge.subscriber(number, subscriber, channel, &ledger.repeated);
        }
    }
    judge.verdict
}

/// The messages of a channel, by epoch.
struct Channel<'a> {
    top: &'a Position,
    places: BTreeMap<&'a str, HashMap<Name, u64>>,
    /// Messages whose place Redis has lost.
    placeless: HashSet<Name>,
}

impl Channel<'_> {
    fn place(&self, epoch: &str, name: Name) -> Option<u64> {
        self.places.get(epoch)?.get(&name).copied()
    }

    fn knows(&self, name: Name) -> bool {
        self.placeless.contains(&name) || self.places.values().any(|places| places.contains_key(&name))
    }

    /// The messages of a life, as ranges of offsets.
    fn tells(&self, life: &Life) -> String {
        let mut ranges: Vec<(&str, u64, u64)> = Vec::new();
        for name in life.heard.iter().flatten() {
            let mut places =
                self.places.iter().filter_map(|(epoch, places)| Some((*epoch, *places.get(name)?)));
            let Some((epoch, offset)) = places.next() else { continue };
            match ranges.last_mut() {
                Some((of, _, last)) if *of == epoch && *last + 1 == offset => *last = offset,
                _ => ranges.push((epoch, offset, offset)),
            }
        }
        let ranges = ranges.into_iter().map(|(epoch, first, last)| format!("{epoch}:{first} to {last}"));
        ranges.collect::<Vec<_>>().join(", ")
    }

    /// The known offsets of an epoch behind one offset.
    fn behind(&self, epoch: &str, offset: u64) -> BTreeSet<u64> {
        let places = self.places.get(epoch).into_iter().flat_map(HashMap::values);
        places.copied().filter(|place| *place > offset).collect()
    }
}

struct Judge {
    verdict: Verdict,
}

impl Judge {
    fn example(&mut self, what: impl FnOnce() -> String) {
        if self.verdict.examples.len() < EXAMPLES {
            self.verdict.examples.push(what());
        }
    }

    /// Judges what was acknowledged by what is kept.
    fn channel<'a>(&mut self, ledger: &'a Ledger, channel: usize, kept: &'a Kept) -> Channel<'a> {
        let epoch = kept.top.epoch.as_str();
        let mut places: HashMap<Name, u64> = HashMap::new();
        for &(offset, name) in &kept.messages {
            let is_ours = |name: &Name| {
                let publisher = ledger.publishers.get(name.publisher as usize);
                publisher
                    .is_some_and(|all| all.channel == channel && (name.number as usize) < all.messages.len())
            };
            match name.filter(is_ours) {
                None => {
                    self.verdict.foreign += 1;
                    self.example(|| format!("channel {channel}: a foreign message at offset {offset}"));
                }
                Some(name) => {
                    if let Some(first) = places.insert(name, offset) {
                        self.verdict.doubled += 1;
                        self.example(|| {
                            format!("channel {channel}: {name:?} is at offsets {first} and {offset}")
                        });
                    }
                }
            }
        }
        let mut all =
            Channel { top: &kept.top, places: BTreeMap::from([(epoch, places)]), placeless: HashSet::new() };
        for (publisher, published) in ledger.publishers.iter().enumerate() {
            if published.channel == channel {
                self.publisher(publisher, &published.messages, &mut all);
            }
        }
        all
    }

    fn publisher<'a>(&mut self, publisher: usize, fates: &'a [Fate], channel: &mut Channel<'a>) {
        let short = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let mut before: Option<(&str, u64)> = None;
        for (number, fate) in fates.iter().enumerate() {
            let name = Name { publisher: short(publisher), number: short(number) };
            let Some((epoch, offset)) = self.fate(name, fate, channel) else { continue };
            if before.is_some_and(|before| before.0 == epoch && before.1 >= offset) {
                self.verdict.reordered += 1;
                self.example(|| format!("{name:?} at {epoch}:{offset} is not behind the one before it"));
            }
            before = Some((epoch, offset));
        }
    }

    /// Judges a message by its fate. Returns the place that it was acknowledged with.
    fn fate<'a>(&mut self, name: Name, fate: &'a Fate, channel: &mut Channel<'a>) -> Option<(&'a str, u64)> {
        let top = channel.top.epoch.as_str();
        let kept = channel.place(top, name);
        if kept.is_none() && self.verdict.may_forget && matches!(fate, Fate::Taken | Fate::Unknown) {
            channel.placeless.insert(name);
        }
        match fate {
            Fate::Unknown => {
                self.verdict.unknown += 1;
                return None;
            }
            Fate::Sent => {
                self.verdict.unacknowledged += 1;
                self.example(|| format!("{name:?} was never acknowledged"));
                return None;
            }
            Fate::Taken | Fate::At(_) => self.verdict.acknowledged += 1,
        }
        match fate {
            Fate::At(position) if position.epoch != top => {
                self.verdict.forgotten += 1;
                channel.places.entry(&position.epoch).or_default().insert(name, position.offset);
            }
            Fate::At(position) if kept != Some(position.offset) => {
                self.verdict.lost += 1;
                self.example(|| format!("{name:?} was acknowledged at {position}, and is not there"));
            }
            Fate::Taken if kept.is_none() && self.verdict.may_forget => self.verdict.forgotten += 1,
            Fate::Taken if kept.is_none() => {
                self.verdict.lost += 1;
                self.example(|| format!("{name:?} was acknowledged, and is not there"));
            }
            _ => {}
        }
        match fate {
            Fate::At(position) => Some((&position.epoch, position.offset)),
            _ => kept.map(|offset| (top, offset)),
        }
    }

    /// Judges a subscriber, and describes its lives where it has a fault.
    fn subscriber(
        &mut self,
        number: usize,
        subscriber: &Received,
        channel: &Channel<'_>,
        repeated: &HashSet<Name>,
    ) {
        let before = self.verdict.examples.len();
        self.lives(number, subscriber, channel, repeated);
        if self.verdict.examples.len() > before {
            for life in &subscriber.lives {
                self.example(|| {
                    format!("subscriber {number} had a life from {}: {}", life.since, channel.tells(life))
                });
            }
        }
    }

    fn lives(
        &mut self,
        number: usize,
        subscriber: &Received,
        channel: &Channel<'_>,
        repeated: &HashSet<Name>,
    ) {
        self.verdict.told += subscriber.lives.len().saturating_sub(1) as u64;
        for (place, life) in subscriber.lives.iter().enumerate() {
            let mut owed = channel.behind(&life.since.epoch, life.since.offset);
            let next = subscriber.lives.get(place + 1);
            let repeated = next.is_some_and(|next| next.since.epoch != life.since.epoch).then_some(repeated);
            let last = self.life(number, life, channel, repeated, &mut owed);
            match next {
                // Told that the epoch is over: what came has no holes, and all of the next epoch follows. A node that
                // does not know yet that the epoch is over may say it with a position of the same epoch.
                Some(next)
                    if next.since.epoch != life.since.epoch || life.since.epoch != channel.top.epoch =>
                {
                    owed.retain(|offset| *offset < last);
                }
                // Told without a loss: what lies between is missing.
                Some(next) => owed.retain(|offset| *offset <= next.since.offset),
                None if life.since.epoch == channel.top.epoch => {}
                // Never told that its epoch is over.
                None => self.lost(number, &channel.top.epoch, &channel.behind(&channel.top.epoch, 0)),
            }
            self.lost(number, &life.since.epoch, &owed);
        }
    }

    /// Judges what came in a life. Removes it from what is owed, and returns the highest offset.
    fn life(
        &mut self,
        number: usize,
        life: &Life,
        channel: &Channel<'_>,
        repeated: Option<&HashSet<Name>>,
        owed: &mut BTreeSet<u64>,
    ) -> u64 {
        let (mut seen, mut last) = (Seen::default(), life.since.offset);
        for name in &life.heard {
            self.verdict.delivered += 1;
            let epoch = &life.since.epoch;
            let Some(offset) = name.and_then(|name| channel.place(epoch, name)) else {
                // A message of another epoch may come before the subscriber is told.
                if !name.is_some_and(|name| channel.knows(name)) {
                    self.verdict.foreign += 1;
                    self.example(|| format!("subscriber {number} got a foreign message: {name:?}"));
                }
                continue;
            };
            let behind = offset.checked_sub(life.since.offset + 1).map(u32::try_from);
            let receipt = match behind {
                None => Receipt::Doubled,
                Some(place) => seen.note(place.unwrap_or(u32::MAX)),
            };
            match receipt {
                Receipt::InOrder => {}
                Receipt::Doubled
                    if name.is_some_and(|name| repeated.is_some_and(|all| all.contains(&name))) => {}
                Receipt::Doubled => {
                    self.verdict.doubled += 1;
                    self.example(|| format!("subscriber {number} got {epoch}:{offset} again, behind {last}"));
                }
                Receipt::OutOfOrder => {
                    self.verdict.reordered += 1;
                    self.example(|| format!("subscriber {number} got {epoch}:{offset} behind {last}"));
                }
            }
            owed.remove(&offset);
            last = last.max(offset);
        }
        last
    }

    fn lost(&mut self, subscriber: usize, epoch: &str, offsets: &BTreeSet<u64>) {
        self.verdict.lost += offsets.len() as u64;
        if let (Some(first), Some(last)) = (offsets.first(), offsets.last()) {
            let count = offsets.len();
            self.example(|| {
                format!("subscriber {subscriber} did not get {count} of {epoch}:{first} to {last}")
            });
        }
    }
}

pub mod failover;
#[cfg(test)]
mod tests;
