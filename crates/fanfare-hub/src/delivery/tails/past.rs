//! The part of the past that a tail serves.

use std::sync::Arc;

use fanfare_core::{Epoch, Position, Publication};

use super::tail::Tail;

/// A part of a channel's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// The newest publications: at most this many.
    Last(usize),
    /// The publications behind a position.
    Since(Position),
    /// The publications behind an offset, whatever the epoch is now.
    Behind(u64),
}

/// How far a tail reaches into the past.
#[derive(Debug)]
pub(crate) enum Reach {
    /// All that was asked for.
    Whole(Vec<Arc<Publication>>),
    /// The newest of it. The rest is to be read.
    Part(Vec<Arc<Publication>>, Missing),
    /// The position lies beyond what subscribers got here, or in another epoch, which may be a newer one.
    Ahead,
    /// The history does not have all of it.
    Lost,
}

/// The publications that are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) epoch: Epoch,
    /// The offset before the first.
    pub(crate) after: u64,
    /// The offset behind the last.
    pub(crate) before: u64,
}

impl Tail {
    /// The publications of `past`, up to the newest that subscribers got. The tail must be open.
    pub(crate) fn past(&self, past: Past) -> Reach {
        let Some(Position { epoch, offset: top }) = self.position() else { return Reach::Ahead };
        let after = match past {
            Past::Last(most) => {
                let most = u64::try_from(most.min(self.size)).unwrap_or(u64::MAX);
                top.saturating_sub(most).max(self.kept.floor())
            }
            Past::Since(since) if self.offset_of(since).is_none() => return Reach::Ahead,
            Past::Since(Position { offset, .. }) | Past::Behind(offset) if offset > top => {
                return Reach::Ahead;
            }
            Past::Since(Position { offset, .. }) | Past::Behind(offset) if offset < self.kept.floor() => {
                return Reach::Lost;
            }
            Past::Since(Position { offset, .. }) | Past::Behind(offset) => offset,
        };
        let before = self.kept.first().unwrap_or(top + 1);
        match self.kept.after(after, top) {
            Ok(publications) => Reach::Whole(publications),
            Err(publications) => Reach::Part(publications, Missing { epoch, after, before }),
        }
    }

    /// How far a read for `missing` goes back: also for others who come back, if the history is not long.
    pub(crate) fn worth_reading(&self, missing: Missing, most: usize) -> Missing {
        let most = u64::try_from(most.min(self.size)).unwrap_or(u64::MAX);
        let top = self.position().map_or(0, |position| position.offset);
        let after = missing.after.min(top.saturating_sub(most)).max(self.kept.floor());
        Missing { after, ..missing }
    }

    /// Keeps what was read of the past too. `is_all`: the history has nothing before it.
    pub(crate) fn extend_back(&mut self, older: &[Arc<Publication>], missing: Missing, floor: Option<u64>) {
        if self.is_closed() || self.position().is_none_or(|position| position.epoch != missing.epoch) {
            return;
        }
        let next = self.position().map_or(0, |position| position.offset) + 1;
        self.kept.extend_back(older, next, self.size);
        if let Some(floor) = floor {
            self.kept.nothing_up_to(floor);
        }
    }

    /// Forgets all publications. They are read again where they are needed.
    pub(crate) fn forget(&mut self) {
        self.kept.clear();
    }
}
