//! The verdict: counts, and faults.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{
    evidence::Evidence,
    record::{Back, End, Time},
};

/// Faults that are named. All are counted.
const EXAMPLES: usize = 20;

/// A fault. Sessions are places in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The message came again.
    Doubled {
        /// The session that got the message.
        listener: usize,
        /// The session that sent the message.
        sender: usize,
        /// The message's number among those of the sender.
        number: usize,
    },
    /// The message came after a later one of the same session.
    OutOfOrder {
        /// The session that got the message.
        listener: usize,
        /// The session that sent the message.
        sender: usize,
        /// The message's number among those of the sender.
        number: usize,
    },
    /// The message never came, without an excuse.
    Lost {
        /// The session that missed the message.
        listener: usize,
        /// The session that sent the message.
        sender: usize,
        /// The message's number among those of the sender.
        number: usize,
        /// The time of the message.
        sent: Time,
    },
    /// The sender's session ended with "refused", and the message came.
    RefusedAndDelivered {
        /// The session that sent the message.
        sender: usize,
        /// The message's number among those of the sender.
        number: usize,
    },
    /// A message came that no session sent to that channel.
    Foreign,
}

/// The counts of a run.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The name of the fault.
    pub name: &'static str,
    /// Messages sent.
    pub published: usize,
    /// Messages that sessions got, without copies.
    pub delivered: usize,
    /// Messages that reached no client, of sessions that ended with "refused".
    pub refused: usize,
    /// The same, of sessions that ended with "unknown".
    pub unknown: usize,
    /// The same, of sessions that ended in another way.
    pub cut_off: usize,
    /// Deliveries that the clients of a node missed in counted interruptions.
    pub interrupted: BTreeMap<usize, usize>,
    /// The number of interruptions that each node counted, and their time in all.
    pub counted: BTreeMap<usize, (usize, Duration)>,
    /// The ends of sessions, by entrance.
    pub ends: BTreeMap<(usize, End), usize>,
    /// Upgrades that failed, by reason.
    pub rejected: BTreeMap<String, usize>,
    /// The time of each fault.
    pub lasted: Vec<Duration>,
    /// The time until all was well after each fault.
    pub back: Vec<Back>,
    /// The number of faults.
    pub wrongs: usize,
    /// The first faults.
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
            ends: record.ends(),
            rejected: record.rejected.clone(),
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

    /// Checks that the run has no fault.
    ///
    /// # Panics
    /// If it has one, with the whole verdict.
    #[track_caller]
    pub fn is_right(&self) {
        assert!(
            self.wrongs == 0,
            "{} faults, the first are {:#?}
        {self}",
            self.wrongs,
            self.examples
        );
    }

    /// Checks that sessions ended only in these ways.
    ///
    /// # Panics
    /// If a session ended in another way, with these sessions.
    #[track_caller]
    pub fn ended_only(&self, allowed: impl Fn(usize, &End) -> bool) {
        let others: Vec<_> =
            self.ends.iter().filter(|((entrance, end), _)| !allowed(*entrance, end)).collect();
        assert!(others.is_empty(), "sessions ended that should not, by entrance and end: {others:?}\n{self}");
    }

    /// The number of deliveries missed during interruptions.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.interrupted.values().sum()
    }

    /// The time of the interruptions that all nodes counted.
    #[must_use]
    pub fn interruption(&self) -> Duration {
        self.counted.values().map(|(_, lasted)| lasted).sum()
    }
}

/// One line, for people and for the table of `make faults`: fields between bars, each with a word and a number.
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
