//! The state of one channel with history on this node: its newest publications, and how far its subscribers are.
//! Without I/O and without a lock.
//!
//! Invariants
//! - Subscribers get the publications of one epoch with consecutive offsets: each once, in order, up to the *top*. Where
//!   offsets are left out, or the epoch changes, the gap is told ([`Effects::told`]), and marked where it is.
//! - A gap is told only after the history was read and did not reach back.
//! - While the tail *heals*, later publications wait in their order. Past a bound they are dropped: a read brings them.
//! - A publication without a position waits behind all that came before it, and keeps its place.
//! - What came before a read was asked is in the read, since a publication is in the history before the first
//!   subscriber gets it. So a publication of another epoch than the read's is older, and is dropped.

use std::sync::Arc;

use fanfare_core::{Channel, Epoch, Position, Publication, history::Page};
use smallvec::SmallVec;

#[cfg(test)]
mod tests;

use super::{
    kept::{Kept, offset},
    mutant,
    waiting::Waiting,
};
use crate::delivery::batch::cost;

/// The bytes that may wait in one channel.
const WAITING_BYTES: usize = 1 << 20;

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Tail {
    /// `None` before the tail is open.
    epoch: Option<Epoch>,
    /// The offset of the newest publication that subscribers got.
    top: u64,
    /// See [`Page::continues`]; `None`: no read told it.
    continues: Option<Vec<Position>>,
    /// The tail heals until the top is here.
    goal: u64,
    /// The goal when the read that is under way was asked.
    asked: u64,
    /// Whether a read must be asked from now on, whatever is known.
    needs_read: bool,
    /// Whether a read was asked and did not come.
    awaits_read: bool,
    is_healing: bool,
    /// Whether a gap was told in this healing.
    has_told: bool,
    /// Whether somebody reads until the tail is healed.
    has_reader: bool,
    is_closed: bool,
    pub(super) kept: Kept,
    waiting: Waiting,
    /// The most publications that are kept.
    pub(super) size: usize,
}

/// The consequences of a change, for the caller to carry out under the tail's lock.
#[derive(Default)]
pub(crate) struct Effects {
    /// The publications that subscribers get now.
    pub(crate) deliver: SmallVec<[Arc<Publication>; 1]>,
    /// The gaps between them: the number of publications before each, and the position behind which it goes on.
    gaps: Vec<(usize, Option<Position>)>,
    /// The number of publications that had come already.
    pub(crate) duplicates: u64,
    /// All that was missing was found.
    pub(crate) healed: bool,
    /// Publications are missing that nobody has.
    pub(crate) told: bool,
    /// Somebody must read from now on, until [`Tail::next_read`] says that nothing is to be read.
    pub(crate) must_read: bool,
}

impl Effects {
    /// Whether subscribers get something now.
    pub(crate) fn delivers(&self) -> bool {
        !self.deliver.is_empty() || !self.gaps.is_empty()
    }

    /// Takes what the subscribers of this channel get now: publications, and [marks](Publication::gap) of the gaps.
    pub(crate) fn take(&mut self, channel: &Channel) -> SmallVec<[Arc<Publication>; 1]> {
        let mut deliver = std::mem::take(&mut self.deliver);
        for (before, position) in self.gaps.drain(..).rev() {
            deliver.insert(before, Arc::new(Publication::gap(channel.clone(), position)));
        }
        deliver
    }
}

impl Tail {
    /// A tail that is not open yet: publications wait. It keeps at most `size`.
    pub(crate) fn new(size: u32) -> Self {
        Self { size: size as usize, ..Self::default() }
    }

    /// The channel's position when the broker had confirmed its subscription.
    pub(crate) fn open(&mut self, position: Position, effects: &mut Effects) {
        if self.epoch.is_none() {
            self.epoch = Some(position.epoch);
            self.top = position.offset;
            self.settle(Vec::new(), effects);
        }
    }

    /// A publication came from the broker.
    #[inline]
    pub(crate) fn arrive(&mut self, publication: Arc<Publication>, effects: &mut Effects) {
        if self.is_live() {
            match publication.position {
                None => return effects.deliver.push(publication),
                Some(at) if self.epoch == Some(at.epoch) && at.offset == self.top + 1 => {
                    return self.take(publication, effects);
                }
                Some(_) => {}
            }
        }
        self.arrive_late(publication, effects);
    }

    fn arrive_late(&mut self, publication: Arc<Publication>, effects: &mut Effects) {
        if self.is_closed {
            return;
        }
        if self.has_delivered(&publication) {
            effects.duplicates += 1;
            if mutant::is("delivers-duplicates") {
                effects.deliver.push(publication);
            }
            return;
        }
        self.wait(publication, effects);
        self.settle(Vec::new(), effects);
    }

    fn has_delivered(&self, publication: &Publication) -> bool {
        let position = publication.position;
        position.is_some_and(|at| self.epoch == Some(at.epoch) && at.offset <= self.top)
    }

    fn wait(&mut self, publication: Arc<Publication>, effects: &mut Effects) {
        let is_known = publication.position.is_some_and(|at| self.epoch == Some(at.epoch));
        if publication.position.is_some() && !is_known {
            self.needs_read |= self.epoch.is_some();
        }
        if self.waiting.bytes() + cost(&publication) <= WAITING_BYTES {
            return self.waiting.push(publication);
        }
        match publication.position {
            Some(at) if is_known => self.goal = self.goal.max(at.offset),
            Some(_) => self.needs_read = true,
            // Clients list who is present after a gap anyway: news alone makes none.
            None if publication.is_news() => {}
            // It is in no history.
            None => {
                self.tell(effects);
                if effects.told {
                    self.mark_gap(effects);
                }
            }
        }
    }

    /// The channel had this position a moment ago.
    pub(crate) fn checked(&mut self, position: Position, effects: &mut Effects) {
        if self.epoch == Some(position.epoch) {
            self.goal = self.goal.max(position.offset);
        } else {
            self.needs_read = true;
        }
        self.judge(effects);
    }

    /// Publications may have been missed until now.
    pub(crate) fn suspect(&mut self, effects: &mut Effects) {
        self.needs_read = true;
        self.judge(effects);
    }

    /// The offset behind which the history is to be read next; `None`: nothing is to be read any more.
    pub(crate) fn next_read(&mut self) -> Option<u64> {
        let epoch = self.epoch.filter(|_| self.is_healing && !self.is_closed);
        self.has_reader = epoch.is_some();
        let last = self.waiting.last_offset(epoch?);
        self.needs_read = false;
        self.awaits_read = true;
        self.asked = self.goal.max(last.unwrap_or(0));
        Some(self.top)
    }

    /// The read brought no answer.
    pub(crate) fn read_failed(&mut self) {
        self.awaits_read = false;
        self.needs_read = true;
    }

    /// The history behind the offset of [`Tail::next_read`].
    pub(crate) fn read(&mut self, page: Page, effects: &mut Effects) {
        let Page { top, mut publications, continues } = page;
        if self.is_closed {
            return;
        }
        self.awaits_read = false;
        if self.epoch == Some(top.epoch) || self.goes_on(top, &continues) {
            self.goal = self.goal.max(top.offset);
            self.skip_lost(&publications, self.asked.max(top.offset), effects);
        } else {
            self.restart(top, &continues, effects);
            publications.clear();
        }
        self.continues = Some(continues);
        if !self.needs_read {
            self.waiting.only(top.epoch);
        }
        self.settle(publications, effects);
    }

    /// Goes on under another epoch, if all that subscribers got is in the history still.
    fn goes_on(&mut self, top: Position, continues: &[Position]) -> bool {
        let has_all = |last: &Position| self.epoch == Some(last.epoch) && self.top <= last.offset;
        let is_there = continues.iter().any(has_all);
        if is_there {
            self.epoch = Some(top.epoch);
            // Publications that were known beyond the top may have been lost.
            (self.goal, self.asked) = (top.offset, top.offset);
        }
        is_there
    }

    /// The history was lost, or its end was, and goes on under another epoch. What is from before it left the epoch of the
    /// subscribers is not delivered, or where that is not known, from before this epoch: subscribers may have had it.
    fn restart(&mut self, top: Position, continues: &[Position], effects: &mut Effects) {
        self.tell(effects);
        self.kept.restart();
        let ours = continues.iter().find(|last| self.epoch == Some(last.epoch));
        let came_back = self.continues.iter().flatten().find(|last| last.epoch == top.epoch);
        self.top = ours.or(continues.first()).or(came_back).map_or(0, |last| last.offset);
        self.epoch = Some(top.epoch);
        self.goal = top.offset;
        self.mark_gap(effects);
    }

    /// Leaves out what the history does not have. It has `publications` behind the top, and knew all offsets up to
    /// `known`.
    fn skip_lost(&mut self, publications: &[Arc<Publication>], known: u64, effects: &mut Effects) {
        let waits = self.position().and_then(|at| self.waiting.lowest_behind(at)).unwrap_or(u64::MAX);
        let first = publications.first().map_or(known.saturating_add(1), offset).min(waits);
        // Without an answer nothing is known of offsets beyond.
        if first > self.top + 1 && known > self.top {
            self.tell(effects);
            self.kept.clear();
            self.top = first - 1;
            self.kept.nothing_up_to(self.top);
            self.mark_gap(effects);
        }
    }

    /// Delivers what is next: what was read, and what waits, each in its place.
    fn settle(&mut self, read: Vec<Arc<Publication>>, effects: &mut Effects) {
        let Some(epoch) = self.epoch else { return };
        let mut read = read.into_iter().peekable();
        loop {
            let next = self.waiting.first_offset(epoch);
            while let Some(publication) = read.next_if(|read| next.is_none_or(|next| offset(read) < next)) {
                if offset(&publication) == self.top + 1 {
                    self.take(publication, effects);
                }
            }
            let Some(first) = self.waiting.front() else { break };
            match first.position {
                None if self.is_complete_before(next) => {
                    effects.deliver.extend(self.waiting.pop());
                }
                Some(at) if at.epoch == epoch && at.offset <= self.top => drop(self.waiting.pop()),
                Some(at) if at.epoch == epoch && at.offset == self.top + 1 => {
                    if let Some(publication) = self.waiting.pop() {
                        self.take(publication, effects);
                    }
                }
                _ => break,
            }
        }
        self.judge(effects);
    }

    /// Whether subscribers have all before the offset `next`, or all that is known of.
    fn is_complete_before(&self, next: Option<u64>) -> bool {
        match next {
            Some(next) => self.top + 1 >= next,
            None => self.top >= self.goal && !self.needs_read && !self.awaits_read,
        }
    }

    fn take(&mut self, publication: Arc<Publication>, effects: &mut Effects) {
        self.top += 1;
        self.kept.push(publication.clone(), self.size);
        if mutant::is("skips-while-healing") && self.is_healing && self.top.is_multiple_of(100) {
            return;
        }
        effects.deliver.push(publication);
    }

    fn tell(&mut self, effects: &mut Effects) {
        effects.told |= !std::mem::replace(&mut self.has_told, true);
    }

    /// Publications are missing before the top.
    fn mark_gap(&self, effects: &mut Effects) {
        effects.gaps.push((effects.deliver.len(), self.position()));
    }

    /// Whether the tail is healed.
    fn judge(&mut self, effects: &mut Effects) {
        if self.is_closed || self.epoch.is_none() {
            return;
        }
        let was_healing = self.is_healing;
        self.is_healing = self.needs_read || self.top < self.goal || !self.waiting.is_empty();
        if self.is_healing {
            effects.must_read |= !std::mem::replace(&mut self.has_reader, true);
        } else {
            let has_told = std::mem::take(&mut self.has_told);
            effects.healed |= was_healing && !has_told;
        }
    }

    /// Whether publications go through as they come.
    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        !self.is_healing && self.epoch.is_some() && !self.is_closed
    }

    /// Nobody is interested any more.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.kept.clear();
        self.waiting.clear();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The position up to which subscribers have all; `None` before the tail is open.
    pub(crate) fn position(&self) -> Option<Position> {
        self.epoch.map(|epoch| Position { epoch, offset: self.top })
    }

    /// The offset of a position of this epoch, or of one before as far as the history goes on from it.
    pub(crate) fn offset_of(&self, position: Position) -> Option<u64> {
        let is_known = |last: &Position| last.epoch == position.epoch && position.offset <= last.offset;
        let is_ours = self.epoch == Some(position.epoch) || self.continues.iter().flatten().any(is_known);
        is_ours.then_some(position.offset)
    }

    /// Whether a read told from which epochs this one goes on, if from any.
    pub(crate) fn knows_origin(&self) -> bool {
        self.continues.is_some()
    }

    /// Changes how many publications are kept, and in which forms.
    pub(crate) fn resize(&mut self, size: u32, is_delta: bool) {
        self.size = size as usize;
        self.kept.keep_differences(is_delta);
        self.kept.trim(self.size);
    }

    /// The bytes of its publications.
    pub(crate) fn bytes(&self) -> usize {
        self.kept.bytes() + self.waiting.bytes()
    }
}
