//! The publications that a tail keeps.
//!
//! Invariant: they have consecutive offsets of one epoch, and the last offset is the tail's top.

use std::{collections::VecDeque, sync::Arc};

use fanfare_core::Publication;

use crate::delivery::batch::cost;

/// The bytes that a delivered publication has beside its own: the allocations of its encoded frame, as measured by
/// `swarm suite history`.
const FRAME_BYTES: usize = 144;

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Kept {
    publications: VecDeque<Arc<Publication>>,
    bytes: usize,
    /// Whether publications are kept as differences too.
    is_delta: bool,
    /// The history has nothing up to this offset: what is kept here from the next one on is all that there is.
    floor: u64,
}

impl Kept {
    /// Appends the publication of the next offset, and keeps at most `size`.
    pub(crate) fn push(&mut self, publication: Arc<Publication>, size: usize) {
        self.bytes += self.cost(&publication);
        self.publications.push_back(publication);
        self.trim(size);
    }

    /// Puts publications before those that are kept, as far as `size` permits. The last of them has the offset before
    /// the first that is kept, or before `next`, the next one to come.
    pub(crate) fn extend_back(&mut self, older: &[Arc<Publication>], next: u64, size: usize) {
        let first = self.first().unwrap_or(next);
        let fits = |publication: &&Arc<Publication>| offset(publication) < first;
        for publication in older.iter().rev().skip_while(|older| !fits(older)) {
            let is_next = self.first().unwrap_or(next) == offset(publication) + 1;
            if !is_next || self.publications.len() >= size {
                return;
            }
            self.bytes += self.cost(publication);
            self.publications.push_front(publication.clone());
        }
    }

    /// The history has nothing up to this offset.
    pub(crate) fn nothing_up_to(&mut self, offset: u64) {
        self.floor = self.floor.max(offset);
    }

    pub(crate) fn trim(&mut self, size: usize) {
        while self.publications.len() > size {
            if let Some(oldest) = self.publications.pop_front() {
                self.bytes -= self.cost(&oldest);
            }
        }
    }

    /// Forgets all publications.
    pub(crate) fn clear(&mut self) {
        self.publications = VecDeque::new();
        self.bytes = 0;
    }

    /// Forgets the publications, and what is known of the history: it is another one.
    pub(crate) fn restart(&mut self) {
        *self = Self { is_delta: self.is_delta, ..Self::default() };
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// From now on publications are kept as differences too, or not.
    pub(crate) fn keep_differences(&mut self, is_delta: bool) {
        self.is_delta = is_delta;
        self.bytes = self.publications.iter().map(|publication| self.cost(publication)).sum();
    }

    /// The bytes that a publication counts for while it is kept: it keeps its encoded frame. Subscribers that get
    /// differences may need two more: it counts with both, whether there are such or not.
    fn cost(&self, publication: &Publication) -> usize {
        let frames = if self.is_delta { 3 } else { 1 };
        cost(publication) + frames * (publication.payload.len() + FRAME_BYTES)
    }

    /// The offset of the oldest publication.
    pub(crate) fn first(&self) -> Option<u64> {
        self.publications.front().map(offset)
    }

    /// The publications behind an offset, up to the newest; `Err` with those that there are where they do not reach
    /// back to it.
    pub(crate) fn after(&self, after: u64, top: u64) -> Result<Vec<Arc<Publication>>, Vec<Arc<Publication>>> {
        let first = self.first().unwrap_or(top + 1);
        let skipped = usize::try_from((after + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let found = self.publications.iter().skip(skipped).cloned().collect();
        if first <= after + 1 { Ok(found) } else { Err(found) }
    }

    /// The offset up to which the history has nothing.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }
}

/// The offset of a publication with a position; 0 of one without.
pub(crate) fn offset(publication: &Arc<Publication>) -> u64 {
    publication.position.map_or(0, |position| position.offset)
}
