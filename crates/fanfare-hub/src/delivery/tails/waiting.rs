//! The publications of a tail that wait for others before them.
//!
//! Invariant: they are in the order of their arrival, and those of one epoch are in the order of their offsets.

use std::{collections::VecDeque, sync::Arc};

use fanfare_core::{Epoch, Position, Publication};

use crate::delivery::batch::cost;

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Waiting {
    publications: VecDeque<Arc<Publication>>,
    bytes: usize,
}

impl Waiting {
    pub(crate) fn push(&mut self, publication: Arc<Publication>) {
        self.bytes += cost(&publication);
        let place = self.place_of(&publication);
        self.publications.insert(place, publication);
    }

    /// The last place, or the place before the first publication of a higher offset.
    fn place_of(&self, publication: &Publication) -> usize {
        let mut place = self.publications.len();
        let Some(position) = publication.position else { return place };
        for (at, other) in self.publications.iter().enumerate().rev() {
            match other.position.filter(|other| other.epoch == position.epoch) {
                Some(other) if other.offset < position.offset => break,
                Some(_) => place = at,
                None => {}
            }
        }
        place
    }

    pub(crate) fn pop(&mut self) -> Option<Arc<Publication>> {
        let publication = self.publications.pop_front()?;
        self.bytes -= cost(&publication);
        Some(publication)
    }

    /// The first of them.
    pub(crate) fn front(&self) -> Option<&Arc<Publication>> {
        self.publications.front()
    }

    /// Drops all publications of other epochs.
    pub(crate) fn only(&mut self, epoch: Epoch) {
        let is_kept =
            |publication: &Arc<Publication>| publication.position.is_none_or(|at| at.epoch == epoch);
        self.publications.retain(is_kept);
        self.bytes = self.publications.iter().map(|publication| cost(publication)).sum();
    }

    /// The lowest offset of this epoch.
    pub(crate) fn first_offset(&self, epoch: Epoch) -> Option<u64> {
        self.positions(epoch).next().map(|position| position.offset)
    }

    /// The lowest offset behind this position.
    pub(crate) fn lowest_behind(&self, at: Position) -> Option<u64> {
        self.positions(at.epoch).map(|position| position.offset).find(|offset| *offset > at.offset)
    }

    /// The highest offset of this epoch.
    pub(crate) fn last_offset(&self, epoch: Epoch) -> Option<u64> {
        self.positions(epoch).next_back().map(|position| position.offset)
    }

    fn positions(&self, epoch: Epoch) -> impl DoubleEndedIterator<Item = Position> {
        let positions = self.publications.iter().filter_map(|publication| publication.position);
        positions.filter(move |position| position.epoch == epoch)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.publications.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
