//! Redis' clock as this node knows it. No I/O.
//!
//! Each round of the heartbeat asks `TIME`. Redis read its clock somewhere within the round trip; the middle is taken.
//! The answer with the shortest round trip among the last [`SAMPLES`] counts, because it is the most exact. Redis'
//! clock is compared with this node's monotonic clock: no wall clock of a node matters.
//!
//! Invariants:
//! - A publication of this node is timed by its monotonic clock alone. The offset that was added to the time in the
//!   envelope is the offset that is taken away, whatever was learned of Redis' clock since.
//! - A publication whose time cannot be known is not timed.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

use fanfare_core::{Incarnation, Origin};
use parking_lot::Mutex;

use crate::redis::connection::resp::Value;

/// The number of answers of which the best one counts.
const SAMPLES: usize = 16;
/// How far two clocks may drift apart while that many answers come in, in microseconds: kernels slew a clock by at most
/// 500 ppm.
const DRIFT: i64 = 20_000;
/// The number of changes of the offset that are remembered. At one a second, this is about as long as Redis keeps the
/// messages that a node does not read.
const CHANGES: usize = 64;
/// The offset is unknown.
const UNKNOWN: i64 = i64::MIN;

/// See the head of this file. All numbers are microseconds.
#[derive(Debug)]
pub(crate) struct Clock {
    node: Incarnation,
    /// The zero of this node's monotonic clock.
    base: Instant,
    /// How far Redis' clock, counted from 1970, is ahead of it.
    offset: AtomicI64,
    samples: Mutex<VecDeque<Sample>>,
    /// The offsets that this node's publications were timed with, each with the first sequence.
    changes: Mutex<VecDeque<(u64, i64)>>,
}

/// One answer.
#[derive(Debug)]
struct Sample {
    offset: i64,
    round_trip: i64,
}

impl Sample {
    /// Whether a clock was set in between: then both cannot be right.
    fn contradicts(&self, other: &Self) -> bool {
        let apart = self.offset.saturating_sub(other.offset).saturating_abs();
        apart > (self.round_trip + other.round_trip) / 2 + DRIFT
    }
}

/// Times publications.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamps {
    base: Instant,
    offset: Option<i64>,
}

impl Stamps {
    /// The time of Redis' clock at that moment, if it is known.
    pub(crate) fn of(&self, at: Instant) -> Option<u64> {
        micros_since(self.base, at).checked_add(self.offset?)?.try_into().ok()
    }
}

impl Clock {
    /// For this node, which does not know Redis' clock yet.
    pub(crate) fn new(node: Incarnation) -> Self {
        Self {
            node,
            base: Instant::now(),
            offset: AtomicI64::new(UNKNOWN),
            samples: Mutex::default(),
            changes: Mutex::default(),
        }
    }

    /// There is a new connection, perhaps to another Redis. The offset stays until its first answer.
    pub(crate) fn connected(&self) {
        self.samples.lock().clear();
    }

    /// `TIME` was sent and answered at these moments. The answer was `time`, in microseconds since 1970.
    pub(crate) fn learn(&self, sent: Instant, answered: Instant, time: u64) {
        let sent = micros_since(self.base, sent);
        let round_trip = micros_since(self.base, answered) - sent;
        let Ok(time) = i64::try_from(time) else { return };
        let sample = Sample { offset: time - (sent + round_trip / 2), round_trip };
        let mut samples = self.samples.lock();
        if samples.iter().any(|earlier| earlier.contradicts(&sample)) {
            samples.clear();
        }
        samples.truncate(SAMPLES - 1);
        samples.push_front(sample);
        if let Some(best) = samples.iter().min_by_key(|sample| sample.round_trip) {
            self.offset.store(best.offset, Ordering::Relaxed);
        }
    }

    /// Redis does not say the time: from now on publications are not timed.
    pub(crate) fn forget(&self) {
        self.samples.lock().clear();
        self.offset.store(UNKNOWN, Ordering::Relaxed);
    }

    /// The stamps for this node's publications from this sequence on.
    pub(crate) fn stamps_from(&self, sequence: u64) -> Stamps {
        let offset = self.offset();
        let mut changes = self.changes.lock();
        if let Some(offset) = offset
            && changes.back().is_none_or(|(_, last)| *last != offset)
        {
            if changes.len() == CHANGES {
                changes.pop_front();
            }
            changes.push_back((sequence, offset));
        }
        Stamps { base: self.base, offset }
    }

    /// The time of Redis' clock at that moment, in microseconds since 1970, if it is known.
    pub(crate) fn at(&self, instant: Instant) -> Option<u64> {
        Stamps { base: self.base, offset: self.offset() }.of(instant)
    }

    /// When a publication was published, by this node's monotonic clock. `time` is what its envelope says.
    pub(crate) fn published(&self, origin: &Origin, time: u64) -> Option<Instant> {
        let offset = if origin.node == self.node { self.used_for(origin.sequence) } else { self.offset() };
        let micros = i64::try_from(time).ok()?.checked_sub(offset?)?;
        let distance = Duration::from_micros(micros.unsigned_abs());
        if micros < 0 { self.base.checked_sub(distance) } else { self.base.checked_add(distance) }
    }

    fn offset(&self) -> Option<i64> {
        Some(self.offset.load(Ordering::Relaxed)).filter(|offset| *offset != UNKNOWN)
    }

    /// The offset that a publication of this node was timed with.
    fn used_for(&self, sequence: u64) -> Option<i64> {
        let changes = self.changes.lock();
        changes.iter().rev().find(|(from, _)| *from <= sequence).map(|(_, offset)| *offset)
    }
}

/// The answer to `TIME`, in microseconds since 1970. Redis sends seconds, and microseconds of the second.
pub(crate) fn time(answer: &Value) -> Option<u64> {
    let Value::List(parts) = answer else { return None };
    let [Value::Text(seconds), Value::Text(micros)] = parts.as_slice() else { return None };
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u64>().ok();
    number(seconds)?.checked_mul(1_000_000)?.checked_add(number(micros)?)
}

fn micros_since(base: Instant, at: Instant) -> i64 {
    i64::try_from(at.saturating_duration_since(base).as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
