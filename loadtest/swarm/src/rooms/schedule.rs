//! The moments at which messages are due. They are fixed before the run, and a late message changes none of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use crate::clock::nanos;

/// The time between the warm-up and the measured part: messages of the warm-up do not count in the measured part.
const PAUSE: Duration = Duration::from_millis(600);

/// A rate, for a warm-up and for a measured part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Messages a second to each channel, from all its publishers together.
    pub rate: f64,
    /// The time before the measured part.
    pub warm_up: Duration,
    /// The measured part.
    pub measured: Duration,
}

/// One message that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// The time since the beginning.
    pub(super) after: Duration,
    /// The sender's number among all publishers.
    pub(super) sender: usize,
    /// The message's number among those of the sender, with the warm-up.
    pub(super) number: u32,
}

impl Schedule {
    /// The time from the beginning until the measured part.
    #[must_use]
    pub fn measured_from(&self) -> Duration {
        if self.warm_up.is_zero() { Duration::ZERO } else { self.warm_up + PAUSE }
    }

    /// The time from the beginning until after the last message.
    pub(super) fn ends_after(&self) -> Duration {
        self.measured_from() + self.measured
    }

    /// The messages of the measured part, from all senders.
    #[must_use]
    pub fn messages(&self, layout: Layout) -> u64 {
        (0..layout.senders()).map(|sender| u64::from(self.count(layout, sender, self.measured))).sum()
    }

    /// The messages of the measured part and the warm-up, from all senders.
    #[must_use]
    pub fn messages_in_all(&self, layout: Layout) -> u64 {
        (0..layout.senders()).map(|sender| u64::from(self.total(layout, sender))).sum()
    }

    /// The number of a sender's messages in the warm-up.
    pub(super) fn warming(&self, layout: Layout, sender: usize) -> u32 {
        self.count(layout, sender, self.warm_up)
    }

    /// The number of a sender's messages in all.
    pub(super) fn total(&self, layout: Layout, sender: usize) -> u32 {
        self.warming(layout, sender) + self.count(layout, sender, self.measured)
    }

    /// All messages of these senders, in the order they are due.
    pub(super) fn of(&self, layout: Layout, mut senders: Vec<usize>) -> impl Iterator<Item = Due> + use<> {
        let schedule = *self;
        senders.sort_by_key(|sender| schedule.phase(layout, *sender));
        let parts = [(self.warm_up, Duration::ZERO), (self.measured, self.measured_from())];
        parts.into_iter().enumerate().flat_map(move |(part, (length, from))| {
            let senders = senders.clone();
            let most =
                senders.iter().map(|sender| schedule.count(layout, *sender, length)).max().unwrap_or(0);
            (0..most).flat_map(move |step| {
                let due = move |sender: &usize| {
                    let after = schedule.phase(layout, *sender) + schedule.interval(layout) * step;
                    let base = if part == 0 { 0 } else { schedule.warming(layout, *sender) };
                    (after < length).then_some(Due {
                        after: from + after,
                        sender: *sender,
                        number: base + step,
                    })
                };
                senders.iter().filter_map(due).collect::<Vec<_>>()
            })
        })
    }

    /// The time between two messages of a sender.
    fn interval(&self, layout: Layout) -> Duration {
        Duration::from_secs_f64(layout.publishers as f64 / self.rate.max(f64::MIN_POSITIVE))
    }

    /// The time of a sender's first message. Senders are spread evenly over an interval, those of one channel too.
    fn phase(&self, layout: Layout, sender: usize) -> Duration {
        let (room, publisher) = (sender / layout.publishers.max(1), sender % layout.publishers.max(1));
        let place = publisher * layout.rooms + room;
        self.interval(layout).mul_f64(place as f64 / layout.senders().max(1) as f64)
    }

    /// The number of a sender's messages in a part of this length.
    fn count(&self, layout: Layout, sender: usize, length: Duration) -> u32 {
        let (length, phase) = (nanos(length), nanos(self.phase(layout, sender)));
        let interval = nanos(self.interval(layout)).max(1);
        u32::try_from(length.saturating_sub(phase).div_ceil(interval)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: f64) -> Schedule {
        Schedule { rate, warm_up: Duration::from_secs(1), measured: Duration::from_secs(3) }
    }

    fn all(schedule: &Schedule, layout: Layout) -> Vec<Due> {
        let due: Vec<_> = schedule.of(layout, (0..layout.senders()).collect()).collect();
        assert!(due.is_sorted_by_key(|due| due.after), "messages come in the order they are due");
        due
    }

    #[test]
    fn messages_are_evenly_apart_at_the_rate() {
        let (schedule, layout) = (schedule(100.0), Layout { rooms: 5, members: 4, publishers: 2 });
        let due = all(&schedule, layout);
        assert_eq!((due.len(), schedule.messages(layout)), (2_000, 1_500));
        assert_eq!(schedule.messages_in_all(layout), 2_000);
        for pair in due.windows(2).filter(|pair| pair[0].after > schedule.measured_from()) {
            let apart = pair[1].after - pair[0].after;
            assert!(apart.abs_diff(Duration::from_millis(2)) < Duration::from_micros(1), "{pair:?}");
        }
    }

    #[test]
    fn a_senders_numbers_are_consecutive() {
        for (rate, layout) in [
            (7.3, Layout { rooms: 3, members: 4, publishers: 3 }),
            (0.5, Layout { rooms: 3, members: 1, publishers: 1 }),
            (4_000.0, Layout { rooms: 1, members: 1_000, publishers: 16 }),
        ] {
            let schedule = schedule(rate);
            let due = all(&schedule, layout);
            for sender in 0..layout.senders() {
                let numbers: Vec<_> =
                    due.iter().filter(|due| due.sender == sender).map(|due| due.number).collect();
                assert_eq!(numbers, (0..schedule.total(layout, sender)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn several_processes_send_as_one_would() {
        let (schedule, layout) = (schedule(9.0), Layout { rooms: 6, members: 2, publishers: 2 });
        let mut parts: Vec<_> = [(0..5), (5..12)]
            .into_iter()
            .flat_map(|senders| schedule.of(layout, senders.collect()))
            .collect();
        parts.sort_by_key(|due| due.after);
        assert_eq!(parts, all(&schedule, layout));
    }

    #[test]
    fn nothing_is_due_in_the_pause() {
        let (schedule, layout) = (schedule(50.0), Layout { rooms: 2, members: 2, publishers: 1 });
        for due in all(&schedule, layout) {
            assert!(due.after < schedule.warm_up || due.after >= schedule.measured_from());
            assert!(due.after < schedule.ends_after());
        }
    }
}
