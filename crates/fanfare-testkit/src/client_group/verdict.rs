//! What came of it: counts, and what is wrong.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{Evidence, ends};
use crate::chorus::{
    Back,
    record::{End, Time},
};

/// What is wrong that is told one by one; all of it is counted.
const EXAMPLES: usize = 20;

/// One thing that is wrong. Names are places in the record's sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It came again.
    Doubled {
        /// Who heard it.
        listener: usize,
        /// Who sent it.
        sender: usize,
        /// Which of the sender's messages it is.
        number: usize,
    },
    /// It came after a later one of the same session.
    OutOfOrder {
        /// Who heard it.
        listener: usize,
        /// Who sent it.
        sender: usize,
        /// Which of the sender's messages it is.
        number: usize,
    },
    /// It never came, and nobody said so.
    Lost {
        /// Who missed it.
        listener: usize,
        /// Who sent it.
        sender: usize,
        /// Which of the sender's messages it is.
        number: usize,
        /// When it was sent.
        sent: Time,
    },
    /// Its sender was told that it was refused, and somebody heard it.
    RefusedAndDelivered {
        /// Who sent it.
        sender: usize,
        /// Which of the sender's messages it is.
        number: usize,
    },
    /// A message came that nobody sent to that channel.
    Foreign,
}

/// The sum of it.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The fault.
    pub name: &'static str,
    /// Messages sent.
    pub published: usize,
    /// Messages that sessions heard, without copies.
    pub delivered: usize,
    /// Messages that reached nobody, and whose senders were told that they were refused.
    pub refused: usize,
    /// The same, told that the outcome is unknown.
    pub unknown: usize,
    /// The same, whose senders' connections ended in another way.
    pub cut_off: usize,
    /// Deliveries missed by the clients of this node during interruptions that nodes counted.
    pub interrupted: BTreeMap<usize, usize>,
    /// Interruptions that each node counted, and their seconds in all.
    pub counted: BTreeMap<usize, (usize, Duration)>,
    /// How sessions ended, by their entrance.
    pub ends: BTreeMap<(usize, End), usize>,
    /// Upgrades that failed, by what was said.
    pub turned_away: BTreeMap<String, usize>,
    /// How long each fault was.
    pub lasted: Vec<Duration>,
    /// How soon after each fault things were as before.
    pub back: Vec<Back>,
    /// How much is wrong.
    pub wrongs: usize,
    /// The first of it.
    pub examples: Vec<Wrong>,
}

impl Verdict {
    pub(super) fn new(name: &'static str, evidence: &Evidence<'_>, back: &[Back]) -> Self {
        let record = evidence.record;
        let mut counted: BTreeMap<usize, (usize, Duration)> = BTreeMap::new();
        for interruption in evidence.interruptions {
            let (times, lasted) = counted.entry(interruption.node).or_default();
            *times += 1;
            *lasted += interruption.lasted;
        }
        let flowed = back.iter().map(|back| back.all).chain(std::iter::repeat(Duration::ZERO));
        Self {
            name,
            published: record.sessions.iter().map(|session| session.sent.len()).sum(),
            delivered: 0,
            refused: 0,
            unknown: 0,
            cut_off: 0,
            interrupted: BTreeMap::new(),
            counted,
            ends: ends(record),
            turned_away: record.turned_away.clone(),
            lasted: evidence
                .faults
                .iter()
                .zip(flowed)
                .map(|(fault, back)| (fault.end - fault.start).saturating_sub(back))
                .collect(),
            back: back.to_vec(),
            wrongs: 0,
            examples: Vec::new(),
        }
    }

    pub(super) fn wrong(&mut self, what: Wrong) {
        self.wrongs += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(what);
        }
    }

    /// Fails where anything is wrong.
    ///
    /// # Panics
    /// With all of the verdict.
    #[track_caller]
    pub fn is_right(&self) {
        assert!(self.wrongs == 0, "{} wrong, of which {:#?}\n{self}", self.wrongs, self.examples);
    }

    /// Fails where a session ended, other than in one of these ways.
    ///
    /// # Panics
    /// With those that did.
    #[track_caller]
    pub fn ended_only(&self, allowed: impl Fn(usize, &End) -> bool) {
        let others: Vec<_> =
            self.ends.iter().filter(|((entrance, end), _)| !allowed(*entrance, end)).collect();
        assert!(others.is_empty(), "sessions ended that should not, by entrance and end: {others:?}\n{self}");
    }

    /// Deliveries missed during interruptions.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.interrupted.values().sum()
    }

    /// Seconds of interruption that all nodes counted.
    #[must_use]
    pub fn interruption(&self) -> Duration {
        self.counted.values().map(|(_, lasted)| lasted).sum()
    }
}

/// One line, for people and for the table of `make faults`: fields between bars, of a word and a number each.
impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, published, delivered, refused, unknown, cut_off, wrongs, .. } = self;
        let longest = |each: &dyn Fn(&Back) -> Duration| {
            self.back.iter().map(each).max().unwrap_or_default().as_secs_f64()
        };
        let closed = |is: &dyn Fn(&End) -> bool| -> usize {
            self.ends.iter().filter(|((_, end), _)| is(end)).map(|(_, count)| count).sum()
        };
        let told = closed(&|end| matches!(end, End::Refused | End::Unknown));
        let others = closed(&|end| !matches!(end, End::Refused | End::Unknown));
        write!(
            out,
            "FAULT {name} | lasted {:.1} s | published {published} | delivered {delivered} | refused {refused} | \
             unknown {unknown} | cut off {cut_off} | missed {} | interrupted {:.1} s | told {told} | \
             closed otherwise {others} | first back {:.2} s | all back {:.2} s | wrong {wrongs}",
            self.lasted.iter().sum::<Duration>().as_secs_f64(),
            self.missed(),
            self.interruption().as_secs_f64(),
            longest(&|back| back.first),
            longest(&|back| back.all),
        )
    }
}
