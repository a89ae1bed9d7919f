//! Judges a run in which Redis failed over to a server that may lack the newest messages.
//!
//! - The final history has what the surviving server kept, and all that came later. Its offsets go on, whatever the epoch.
//! - A subscriber gets all of it behind its position: once, in order. Until it is told, its messages have no holes.
//! - A subscriber that got a message which is not in the final history was told.
//! - A message that was repeated may have been taken by both servers. So it may come where it was on the lost server, and
//!   again at its final place.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{EXAMPLES, Kept, Verdict};
use crate::verify::history::ledger::{Fate, Ledger, Life, Name};

/// Judges the notes of a run by the final history of each channel.
#[must_use]
pub fn judge(ledger: &Ledger, histories: &[Kept]) -> Verdict {
    let mut judge = Judge { verdict: Verdict { may_forget: true, ..Verdict::default() } };
    let places: Vec<_> = (0..).zip(histories).map(|(channel, kept)| judge.history(channel, kept)).collect();
    for (number, publisher) in (0..).zip(&ledger.publishers) {
        let Some(places) = places.get(publisher.channel) else { continue };
        for (message, fate) in (0..).zip(&publisher.messages) {
            let name = Name { publisher: number, number: message };
            judge.publish(name, fate, places.contains_key(&name));
        }
    }
    for (number, subscriber) in ledger.subscribers.iter().enumerate() {
        let Some(places) = places.get(subscriber.channel) else { continue };
        judge.verdict.told += subscriber.lives.len().saturating_sub(1) as u64;
        for (life, is_last) in
            subscriber.lives.iter().rev().zip([true].into_iter().chain(std::iter::repeat(false)))
        {
            judge.life(number, life, places, &ledger.repeated, is_last);
        }
    }
    judge.verdict
}

struct Judge {
    verdict: Verdict,
}

/// The offsets of the messages of a channel.
type Places = HashMap<Name, u64>;

impl Judge {
    fn example(&mut self, what: impl FnOnce() -> String) {
        if self.verdict.examples.len() < EXAMPLES {
            self.verdict.examples.push(what());
        }
    }

    fn history(&mut self, channel: usize, kept: &Kept) -> Places {
        let mut places = Places::new();
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
        places
    }

    fn publish(&mut self, name: Name, fate: &Fate, is_kept: bool) {
        match fate {
            Fate::At(_) | Fate::Taken => {
                self.verdict.acknowledged += 1;
                self.verdict.forgotten += u64::from(!is_kept);
            }
            Fate::Unknown => self.verdict.unknown += 1,
            Fate::Sent => {
                self.verdict.unacknowledged += 1;
                self.example(|| format!("{name:?} was never acknowledged"));
            }
        }
    }

    fn life(&mut self, number: usize, life: &Life, places: &Places, repeated: &HashSet<Name>, is_last: bool) {
        let mut owed: BTreeMap<u64, Name> = places.iter().map(|(name, offset)| (*offset, *name)).collect();
        owed.retain(|offset, _| *offset > life.since.offset);
        let (mut last, mut is_untold, mut wrong) = (life.since.offset, false, None);
        for name in &life.heard {
            self.verdict.delivered += 1;
            let Some(name) = name else {
                self.verdict.foreign += 1;
                continue;
            };
            let Some(offset) = places.get(name) else {
                // Lost by the failover. In the last life the subscriber was not told of it.
                is_untold = is_last;
                continue;
            };
            if *offset != last + 1 && repeated.contains(name) {
                // Its place on the lost server was another.
                is_untold = is_last;
                continue;
            }
            if owed.remove(offset).is_none() {
                self.verdict.doubled += 1;
                wrong.get_or_insert((offset, last));
            } else if *offset < last {
                self.verdict.reordered += 1;
                wrong.get_or_insert((offset, last));
            }
            last = last.max(*offset);
        }
        let until = if is_last { u64::MAX } else { last };
        let missing = owed.range(..until).count() as u64;
        self.verdict.lost += missing + u64::from(is_untold);
        if missing > 0 || is_untold || wrong.is_some() {
            let since = &life.since;
            let wrong = wrong.map(|(offset, last)| format!("{offset} behind {last}"));
            self.example(|| {
                format!(
                    "subscriber {number}, from {since} to {last}: {missing} missing, untold: {is_untold}, first out of \
                     place: {wrong:?}"
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        position::Position,
        verify::history::ledger::{Published, Received},
    };

    fn name(number: u32) -> Name {
        Name { publisher: 0, number }
    }

    fn life(offset: u64, heard: &[u32]) -> Life {
        let since = Position { epoch: "e".into(), offset };
        Life { since, heard: heard.iter().map(|number| Some(name(*number))).collect() }
    }

    /// The messages 0 to 5 were acknowledged; 2 and 3 are not in the history. The last was repeated on the new server.
    fn judged(lives: Vec<Life>) -> Verdict {
        let position = Position { epoch: "e".into(), offset: 0 };
        let published = Published { channel: 0, messages: vec![Fate::Taken; 6] };
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
        ] {
            assert!(!judged(lives.clone()).is_right(), "{lives:?}");
        }
    }
}
