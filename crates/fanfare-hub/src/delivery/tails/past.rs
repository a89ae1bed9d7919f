//! The part of the past that a tail serves.

use std::sync::Arc;

use fanfare_core::{
    Epoch, Position, Publication,
    command::{ResumeEpoch, ResumeFrom},
};

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
    /// The newest publication, unless it is at this place.
    Newest(ResumeFrom),
}

impl Past {
    /// The same past in a namespace whose clients get only the newest publication.
    pub(crate) fn newest(self) -> Self {
        let from = |epoch, offset| Self::Newest(ResumeFrom { epoch, offset });
        match self {
            Self::Since(Position { epoch, offset }) => from(ResumeEpoch::Is(epoch), offset),
            Self::Behind(offset) => from(ResumeEpoch::Any, offset),
            Self::Last(_) | Self::Newest(_) => self,
        }
    }

    /// The newest publication, wherever its client was; other pasts stay.
    pub(crate) fn wherever(self) -> Self {
        match self {
            Self::Newest(from) => Self::Newest(ResumeFrom { epoch: ResumeEpoch::Foreign, ..from }),
            other => other,
        }
    }

    /// Whether all there is of it is enough.
    pub(crate) fn is_any(self) -> bool {
        matches!(self, Self::Last(_) | Self::Newest(_))
    }

    /// The place that it begins behind. `None`: it begins behind none that a history could have.
    pub(crate) fn place(self) -> Option<(Option<Epoch>, u64)> {
        match self {
            Self::Last(_) | Self::Newest(ResumeFrom { epoch: ResumeEpoch::Foreign, .. }) => None,
            Self::Since(Position { epoch, offset })
            | Self::Newest(ResumeFrom { epoch: ResumeEpoch::Is(epoch), offset }) => {
                Some((Some(epoch), offset))
            }
            Self::Behind(offset) | Self::Newest(ResumeFrom { epoch: ResumeEpoch::Any, offset }) => {
                Some((None, offset))
            }
        }
    }
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
        let place = past.place();
        let is_unknown = |epoch, offset| self.offset_of(Position { epoch, offset }).is_none();
        if place.is_some_and(|(of, offset)| of.is_some_and(|of| is_unknown(of, offset)) || offset > top) {
            return Reach::Ahead;
        }
        let newest = |most: usize| {
            let most = u64::try_from(most.min(self.size)).unwrap_or(u64::MAX);
            top.saturating_sub(most).max(self.kept.floor())
        };
        let after = match past {
            Past::Last(most) => newest(most),
            Past::Newest(_) if place.is_some_and(|(_, offset)| offset == top) => top,
            Past::Newest(_) => newest(1),
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
