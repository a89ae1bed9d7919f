//! The publications of a tail that wait for others before them.
//!
//! Invariant: they are in the order of their arrival.

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
        self.publications.push_back(publication);
    }

    pub(crate) fn pop(&mut self) -> Option<Arc<Publication>> {
        let publication = self.publications.pop_front()?;
        self.bytes -= cost(&publication);
        Some(publication)
    }

    /// The first publication.
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

    /// The offset of the first publication of this epoch.
    pub(crate) fn first_offset(&self, epoch: Epoch) -> Option<u64> {
        self.positions(epoch).next().map(|position| position.offset)
    }

    /// The lowest offset of this epoch.
    pub(crate) fn lowest_offset(&self, epoch: Epoch) -> Option<u64> {
        self.positions(epoch).map(|position| position.offset).min()
    }

    /// The highest offset of this epoch.
    pub(crate) fn last_offset(&self, epoch: Epoch) -> Option<u64> {
        self.positions(epoch).map(|position| position.offset).max()
    }

    fn positions(&self, epoch: Epoch) -> impl Iterator<Item = Position> {
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
