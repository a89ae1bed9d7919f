//! Judges a run in which Redis failed over to a server that may lack the newest messages.
//!
//! - The final history has what the surviving server kept, and all that came later. Its offsets go on, whatever the epoch.
//! - A subscriber gets all of it behind its position: once, in order. Until it is told, its messages have no holes.
//! - A subscriber that got a message which is not in the final history was told.
//! - A message that was repeated may have been taken by both servers. So it may come where it was on the lost server, and
//!   again at its final place.
//! - A subscriber that was warned when its connection ended, and is told later, may get a message from before the warning
//!   once more behind it: it came from a node on the new server to one that was still on the old. Messages may be left out
//!   on that connection: the node ends it at the pace of a drain, and the newest messages come until then.
//! - A position is lost if it is behind one that was acknowledged in its epoch, and is not in the final history. A subscriber
//!   that began at a lost position was told again.

use std::collections::{BTreeMap, HashMap};

use super::{EXAMPLES, Kept, Verdict};
use crate::{
    position::Position,
    verify::history::ledger::{Fate, Ledger, Life, Name},
};

/// Judges the notes of a run by the final history of each channel.
#[must_use]
pub fn judge(ledger: &Ledger, histories: &[Kept]) -> Verdict {
    let mut judge = Judge { verdict: Verdict { may_forget: true, ..Verdict::default() } };
    let mut channels: Vec<_> =
        (0..).zip(histories).map(|(channel, kept)| judge.history(channel, kept)).collect();
    for (number, publisher) in (0..).zip(&ledger.publishers) {
        let Some(channel) = channels.get_mut(publisher.channel) else { continue };
        for (message, fate) in (0..).zip(&publisher.messages) {
            judge.publish(Name { publisher: number, number: message }, fate, channel);
        }
    }
    for (number, subscriber) in ledger.subscribers.iter().enumerate() {
        let Some(channel) = channels.get(subscriber.channel) else { continue };
        judge.verdict.told += subscriber.lives.len().saturating_sub(1) as u64;
        for (place, life) in subscriber.lives.iter().enumerate() {
            let is_last = place + 1 == subscriber.lives.len();
            let wrong = judge.life(life, channel, ledger, is_last);
            if let Some(wrong) = wrong {
                judge.example(|| format!("subscriber {number}, from {}: {wrong}", life.since));
            }
        }
    }
    judge.verdict
}

struct Judge {
    verdict: Verdict,
}

/// The final history of a channel.
struct Channel<'a> {
    /// The offsets of the messages.
    places: HashMap<Name, u64>,
    /// The first lost position of each epoch.
    lost: HashMap<&'a str, u64>,
}

impl Channel<'_> {
    fn lacks(&self, position: &Position) -> bool {
        self.lost.get(position.epoch.as_str()).is_some_and(|lost| *lost <= position.offset)
    }
}

impl Judge {
    fn example(&mut self, what: impl FnOnce() -> String) {
        if self.verdict.examples.len() < EXAMPLES {
            self.verdict.examples.push(what());
        }
    }

    fn history<'a>(&mut self, channel: usize, kept: &Kept) -> Channel<'a> {
        let mut places = HashMap::new();
        for (offset, name) in &kept.messages {
            let Some(name) = name else {
                self.verdict.foreign += 1;
                continue;
            };
            if let Some(first) = places.insert(*name, *offset) {
                self.verdict.doubled += 1;
                self.example(|| format!("channel {channel}: {name:?} is at offsets {first} and {offset}"));
            }
        }
        Channel { places, lost: HashMap::new() }
    }

    fn publish<'a>(&mut self, name: Name, fate: &'a Fate, channel: &mut Channel<'a>) {
        let place = channel.places.get(&name);
        match fate {
            Fate::At(Position { epoch, offset }) => {
                self.verdict.acknowledged += 1;
                self.verdict.forgotten += u64::from(place.is_none());
                if place != Some(offset) {
                    let lost = channel.lost.entry(epoch).or_insert(*offset);
                    *lost = (*lost).min(*offset);
                }
            }
            Fate::Taken => {
                self.verdict.acknowledged += 1;
                self.verdict.forgotten += u64::from(place.is_none());
            }
            Fate::Unknown => self.verdict.unknown += 1,
            Fate::Sent => {
                self.verdict.unacknowledged += 1;
                self.example(|| format!("{name:?} was never acknowledged"));
            }
        }
    }

    /// Judges a life. What is wrong with it.
    fn life(&mut self, life: &Life, channel: &Channel<'_>, ledger: &Ledger, is_last: bool) -> Option<String> {
        if channel.lacks(&life.since) {
            self.verdict.delivered += life.heard.len() as u64;
            self.verdict.lost += u64::from(is_last);
            return is_last.then(|| "the position is lost, and nobody told it".to_owned());
        }
        let mut owed: BTreeMap<u64, Name> =
            channel.places.iter().map(|(name, offset)| (*offset, *name)).collect();
        owed.retain(|offset, _| *offset > life.since.offset);
        let (mut last, mut is_untold, mut misplaced) = (life.since.offset, false, None);
        let mut heard_at = HashMap::new();
        for (heard, name) in life.heard.iter().enumerate() {
            self.verdict.delivered += 1;
            let Some(name) = name else {
                self.verdict.foreign += 1;
                continue;
            };
            let place = channel.places.get(name).copied();
            // Lost by the failover, or at another place on the lost server. In the last life nobody told that.
            let Some(offset) = place.filter(|place| *place == last + 1 || !ledger.repeated.contains(name))
            else {
                is_untold = is_last;
                continue;
            };
            let is_new = owed.remove(&offset).is_some();
            let before = heard_at.insert(name, heard);
            if !is_last && !is_new && is_warned_between(life, before, heard) {
                continue;
            }
            if !is_last && is_new && life.warned.iter().any(|connection| connection.contains(&heard)) {
                owed.retain(|left_out, _| !(last..offset).contains(left_out));
            }
            if !is_new {
                self.verdict.doubled += 1;
                misplaced.get_or_insert((name, offset, last));
            } else if offset < last {
                self.verdict.reordered += 1;
                misplaced.get_or_insert((name, offset, last));
            }
            last = last.max(offset);
        }
        let missing = owed.range(..if is_last { u64::MAX } else { last }).count() as u64;
        self.verdict.lost += missing + u64::from(is_untold);
        (missing > 0 || is_untold || misplaced.is_some()).then(|| {
            let misplaced = misplaced.map(|(name, offset, last)| {
                format!("{name:?} of offset {offset} behind {last}, {:?}", ledger.fate(*name))
            });
            format!("to {last}: {missing} missing, untold: {is_untold}, first out of place: {misplaced:?}")
        })
    }
}

/// Whether a warning came after the message at `before`, and ahead of the one at `now`.
fn is_warned_between(life: &Life, before: Option<usize>, now: usize) -> bool {
    let is_between = |end: usize| before.is_some_and(|before| before < end) && end <= now;
    life.warned.iter().any(|connection| is_between(connection.end))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::verify::history::ledger::{Published, Received};

    fn name(number: u32) -> Name {
        Name { publisher: 0, number }
    }

    fn life(offset: u64, heard: &[u32]) -> Life {
        let heard = heard.iter().map(|number| Some(name(*number))).collect();
        Life { heard, ..Position { epoch: "e".into(), offset }.into() }
    }

    /// The messages 0 to 5 were acknowledged; 2 and 3 are not in the history. The last was repeated on the new server. A
    /// warning came behind the second message of the second life.
    fn judged(mut lives: Vec<Life>) -> Verdict {
        if let Some(life) = lives.get_mut(1) {
            life.warned.push(0..2);
        }
        let position = Position { epoch: "e".into(), offset: 0 };
        let mut messages = vec![Fate::Taken; 6];
        messages[2] = Fate::At(Position { epoch: "e".into(), offset: 6 });
        let published = Published { channel: 0, messages };
        let subscribers = vec![Received { channel: 0, lives }];
        let messages = [0, 1, 4, 5].map(name).into_iter().zip(1..).map(|(name, offset)| (offset, Some(name)));
        let kept = Kept { top: position, messages: messages.collect() };
        let repeated = HashSet::from([name(5)]);
        judge(&Ledger { publishers: vec![published], subscribers, repeated }, &[kept])
    }

    #[test]
    fn survivors_come_once_and_losses_are_told() {
        for lives in [
            vec![life(0, &[0, 1, 4, 5])],
            vec![life(0, &[0, 1, 2, 3, 4]), life(3, &[5])],
            vec![life(0, &[0, 1, 2]), life(0, &[0, 1, 4, 5])],
            vec![life(0, &[0, 1, 2, 5, 4]), life(3, &[5])],
            vec![life(0, &[0, 1, 2, 5, 4, 5]), life(4, &[])],
            vec![life(7, &[3, 4, 5]), life(4, &[])],
            vec![life(0, &[]), life(0, &[0, 1, 1, 4, 5]), life(4, &[])],
            vec![life(0, &[]), life(0, &[0, 4, 5]), life(4, &[])],
        ] {
            let verdict = judged(lives.clone());
            assert!(verdict.is_right(), "{lives:?}: {:?}", verdict.examples);
            assert_eq!(verdict.forgotten, 2);
        }
        for lives in [
            vec![life(0, &[0, 1, 2, 4, 5])],
            vec![life(0, &[0, 4, 5])],
            vec![life(0, &[0, 1, 5, 4])],
            vec![life(0, &[0, 1, 1, 4, 5])],
            vec![life(0, &[0, 1, 4])],
            vec![life(0, &[0, 4]), life(4, &[])],
            vec![life(0, &[0, 1, 5, 4, 5])],
            vec![life(7, &[])],
            vec![life(0, &[0, 1, 4, 4, 5]), life(4, &[])],
            // Behind the warning, again without another one, or never told.
            vec![life(0, &[]), life(0, &[0, 2, 4]), life(4, &[])],
            vec![life(0, &[]), life(0, &[0, 4, 5])],
            vec![life(0, &[]), life(0, &[0, 1, 4, 4, 5]), life(4, &[])],
            vec![life(0, &[]), life(0, &[0, 1, 1, 1, 4]), life(4, &[])],
            vec![life(0, &[]), life(0, &[0, 1, 1, 4, 5])],
        ] {
            assert!(!judged(lives.clone()).is_right(), "{lives:?}");
        }
    }
}
