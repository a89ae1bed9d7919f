//! The time from a moment until all subscribers are whole again: each has a message from each publisher of its channel,
//! sent later than that moment.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::{
    ledger::{Ledger, Received},
    notes::Notes,
};

/// The time between two looks, and so the error of a time.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A measurement that has begun.
pub(super) struct Wholeness {
    began: Instant,
    notes: Arc<Mutex<Notes>>,
    /// The number of messages that each publisher had sent.
    sent: Vec<usize>,
    /// The subscribers that are not whole.
    waiting: Vec<Waiting>,
}

struct Waiting {
    subscriber: usize,
    /// The publishers without a later message.
    without: BTreeSet<u32>,
    /// The number of lives that were looked at, but the last, and of its messages.
    place: (usize, usize),
}

impl Wholeness {
    /// Begins, for subscribers of these first publishers.
    pub(super) fn new(notes: Arc<Mutex<Notes>>, publishers: usize) -> Self {
        let (sent, waiting) = {
            let ledger = &notes.lock().ledger;
            let sent = ledger.publishers.iter().take(publishers).map(|all| all.messages.len()).collect();
            let waiting = (0..ledger.subscribers.len()).map(|subscriber| Waiting {
                subscriber,
                without: of_channel(ledger, subscriber, publishers),
                place: ledger.subscribers.get(subscriber).map_or((0, 0), end),
            });
            (sent, waiting.collect())
        };
        Self { began: Instant::now(), notes, sent, waiting }
    }

    /// Returns once all are whole, or after `patience`. The time of each subscriber.
    pub(super) async fn times(mut self, patience: Duration) -> Vec<Duration> {
        let mut times = Vec::new();
        while !self.waiting.is_empty() && self.began.elapsed() < patience {
            sleep(LOOK_EVERY).await;
            times.extend(std::iter::repeat_n(self.began.elapsed(), self.look()));
        }
        times.extend(self.waiting.iter().map(|_| self.began.elapsed()));
        times
    }

    /// Looks at all that are not whole. The number of those that are now.
    fn look(&mut self) -> usize {
        let before = self.waiting.len();
        let ledger = &self.notes.lock().ledger;
        for waiting in &mut self.waiting {
            waiting.look(ledger, &self.sent);
        }
        self.waiting.retain(|waiting| !waiting.without.is_empty());
        before - self.waiting.len()
    }
}

impl Waiting {
    fn look(&mut self, ledger: &Ledger, sent: &[usize]) {
        let Some(received) = ledger.subscribers.get(self.subscriber) else { return };
        let (life, mut message) = self.place;
        for life in received.lives.iter().skip(life) {
            for name in life.heard.iter().skip(message).flatten() {
                if sent.get(name.publisher as usize).is_some_and(|sent| name.number as usize >= *sent) {
                    self.without.remove(&name.publisher);
                }
            }
            message = 0;
        }
        self.place = end(received);
    }
}

fn of_channel(ledger: &Ledger, subscriber: usize, publishers: usize) -> BTreeSet<u32> {
    let channel = ledger.subscribers.get(subscriber).map(|received| received.channel);
    let numbered = (0..).zip(ledger.publishers.iter().take(publishers));
    numbered.filter(|(_, all)| Some(all.channel) == channel).map(|(number, _)| number).collect()
}

fn end(received: &Received) -> (usize, usize) {
    let heard = received.lives.last().map_or(0, |life| life.heard.len());
    (received.lives.len().saturating_sub(1), heard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{position::Position, verify::history::ledger::Name};

    #[test]
    fn later_messages_of_all_publishers_make_whole() {
        let start = Position { epoch: "e".into(), offset: 0 };
        let mut ledger = Ledger::new(std::slice::from_ref(&start), 2, 2);
        let early = ledger.sends(0);
        let notes = Arc::new(Mutex::new(Notes { ledger, ..Notes::default() }));
        let mut wholeness = Wholeness::new(notes.clone(), 2);
        let hears = |subscriber, names: &[Name]| {
            let ledger = &mut notes.lock().ledger;
            names.iter().for_each(|name| ledger.hears(subscriber, Some(*name)));
        };
        let late = [0, 1].map(|publisher| notes.lock().ledger.sends(publisher));
        hears(0, &[early, late[0]]);
        hears(1, &[early, late[0]]);
        assert_eq!(wholeness.look(), 0);
        notes.lock().ledger.begins_anew(0, start);
        hears(0, &[late[1]]);
        assert_eq!(wholeness.look(), 1);
        hears(1, &[late[0], late[1]]);
        assert_eq!(wholeness.look(), 1);
    }
}
