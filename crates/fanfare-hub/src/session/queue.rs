//! The bytes that wait for one session, in order, and which of them may be dropped.
//!
//! Invariants
//! - An item leaves at the front. Only `Queue::conflate` and `Queue::shed` drop items, and neither drops what was
//!   begun: the client reads whole frames.
//! - Only a publication of a conflating channel is replaceable, and only by a newer one of the same channel. So per
//!   channel the client gets an ordered selection of the publications, and always the newest.
//! - Nothing is dropped before a bound is passed: [`Budget::per_session`], half of it for longer than a second, or the
//!   node's budget.
//! - Only bytes that the sink refused are bounded, and charged to the budget. Bytes beyond the bound that one write
//!   brought to an empty queue are judged by time only.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use fanfare_core::{Channel, Message, SlowClient};
use smallvec::SmallVec;

use crate::{
    session::traffic::Traffic,
    upkeep::budget::{Budget, Charge},
};

/// Something that has a size in bytes.
pub(crate) trait Weigh {
    fn bytes(&self) -> usize;
}

impl Weigh for Bytes {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Weigh for Message {
    fn bytes(&self) -> usize {
        self.bytes().len()
    }
}

/// An item that waits.
pub(crate) struct Item<T> {
    pub(crate) what: T,
    /// The number of messages.
    pub(crate) messages: u32,
    /// The channel of which a newer publication replaces it. `None`: nothing does.
    pub(crate) replaceable: Option<Channel>,
}

/// The items of one send: several only where they are publications of one channel.
pub(crate) type Items<T> = SmallVec<[Item<T>; 1]>;

/// The items that wait for one session.
pub(crate) struct Queue<T> {
    items: VecDeque<Item<T>>,
    bytes: usize,
    /// The client has the first part of the front item.
    is_begun: bool,
    /// Set where the sink refused bytes. Deferred bytes are not charged.
    charge: Option<Charge>,
    /// The bytes at the front that one write brought, where they were beyond the bound.
    gathered: usize,
    /// How many turns of the shard's clock in a row found it past half the bound.
    turns: u8,
    is_conflated: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            items: VecDeque::new(),
            bytes: 0,
            is_begun: false,
            charge: None,
            gathered: 0,
            turns: 0,
            is_conflated: false,
        }
    }
}

impl<T: Weigh> Queue<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The part of the node's budget that it takes; 0 where nothing was refused.
    pub(crate) fn charged(&self) -> usize {
        if self.charge.is_some() { self.weight() } else { 0 }
    }

    pub(crate) fn into_items(mut self) -> impl Iterator<Item = Item<T>> {
        std::mem::take(&mut self.items).into_iter()
    }

    /// The contents of the items, from the front.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|item| &item.what)
    }

    /// Appends items. Where they would pass the bound, replaceable items are conflated first. `false` where that is not
    /// enough: then the items are not taken.
    pub(crate) fn push(&mut self, mut items: Items<T>, budget: &Budget) -> bool {
        if !self.fits(&items, budget) {
            self.conflate_for(&mut items, budget);
            if !self.fits(&items, budget) {
                return false;
            }
        }
        self.append(items);
        true
    }

    /// Appends items. The bound does not apply.
    pub(crate) fn append(&mut self, items: Items<T>) {
        self.bytes += weigh(&items);
        self.items.extend(items);
        self.settle();
    }

    fn fits(&self, items: &Items<T>, budget: &Budget) -> bool {
        let is_bounded = self.charge.is_some() && !self.items.is_empty();
        !is_bounded || self.bytes - self.gathered + weigh(items) <= budget.per_session()
    }

    /// The sink refused bytes: from now on waiting bytes are charged.
    pub(crate) fn refused(&mut self, budget: &Arc<Budget>) {
        if self.charge.is_none() {
            self.charge = Some(Charge::new(budget));
            self.gathered = if self.bytes > budget.per_session() { self.bytes } else { 0 };
            self.settle();
        }
    }

    /// The clock turned. Whether the session is slow: it is past half the bound for longer than a second, also after
    /// conflation.
    pub(crate) fn turn(&mut self, budget: &Budget) -> bool {
        if self.charge.is_none() || self.bytes <= budget.half() {
            self.turns = 0;
            return false;
        }
        self.turns = self.turns.saturating_add(1);
        if self.turns == 1 {
            return false;
        }
        self.conflate(budget);
        self.bytes > budget.half()
    }

    /// Whether the next turn finds the session slow, unless bytes leave.
    pub(crate) fn is_due(&self) -> bool {
        self.turns > 0
    }

    /// Drops and counts every publication that a newer one of its channel replaces.
    pub(crate) fn conflate(&mut self, budget: &Budget) {
        self.drop_stale(HashSet::new(), budget);
    }

    /// [`Queue::conflate`] before `items` are appended. Only the last of `items` is kept.
    fn conflate_for(&mut self, items: &mut Items<T>, budget: &Budget) {
        let mut newer = HashSet::new();
        if let Some(channel) = items.last().and_then(|item| item.replaceable.clone()) {
            newer.insert(channel);
            let stale = items.len() - 1;
            items.drain(..stale);
            self.count(stale, budget);
        }
        self.drop_stale(newer, budget);
    }

    fn drop_stale(&mut self, mut newer: HashSet<Channel>, budget: &Budget) {
        let before = self.items.len();
        let mut kept = VecDeque::new();
        while let Some(item) = self.items.pop_back() {
            let is_begun = self.is_begun && self.items.is_empty();
            let is_newest = item.replaceable.as_ref().is_none_or(|channel| newer.insert(channel.clone()));
            if is_begun || is_newest {
                kept.push_front(item);
            } else {
                self.bytes -= item.what.bytes();
            }
        }
        self.items = kept;
        let dropped = before - self.items.len();
        self.count(dropped, budget);
        if dropped > 0 {
            self.gathered = 0;
            self.settle();
        }
        self.ease(budget);
    }

    fn count(&mut self, dropped: usize, budget: &Budget) {
        if dropped == 0 {
            return;
        }
        budget.metrics.conflated.inc_by(dropped as u64);
        if !std::mem::replace(&mut self.is_conflated, true) {
            budget.metrics.slow(SlowClient::Conflate);
        }
    }

    /// Drops all items except one that was begun and, with `keep_last`, the last.
    pub(crate) fn shed(&mut self, keep_last: bool) {
        let first = usize::from(self.is_begun);
        let last = self.items.len() - usize::from(keep_last).min(self.items.len());
        if first < last {
            self.bytes -= self.items.drain(first..last).map(|item| item.what.bytes()).sum::<usize>();
            self.gathered = 0;
            self.settle();
        }
    }

    fn ease(&mut self, budget: &Budget) {
        if self.bytes <= budget.half() {
            self.turns = 0;
        }
    }

    fn weight(&self) -> usize {
        self.bytes + self.items.len() * size_of::<Item<T>>()
    }

    /// Sets the charge to the waiting bytes.
    fn settle(&mut self) {
        let weight = self.weight();
        if let Some(charge) = &mut self.charge {
            charge.set(weight);
        }
    }
}

impl Queue<Bytes> {
    /// Removes `written` bytes, which the sink took. The traffic that they were.
    pub(crate) fn consume(&mut self, written: usize, budget: &Budget) -> Traffic {
        let mut traffic = Traffic { messages: 0, bytes: written as u64 };
        self.bytes -= written;
        self.gathered = self.gathered.saturating_sub(written);
        let mut left = written;
        while let Some(front) = self.items.front_mut() {
            if left < front.what.len() {
                bytes::Buf::advance(&mut front.what, left);
                self.is_begun |= left > 0;
                break;
            }
            left -= front.what.len();
            traffic.messages += u64::from(front.messages);
            self.is_begun = false;
            self.items.pop_front();
        }
        self.ease(budget);
        self.settle();
        traffic
    }
}

fn weigh<T: Weigh>(items: &Items<T>) -> usize {
    items.iter().map(|item| item.what.bytes()).sum()
}
