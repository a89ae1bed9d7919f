//! The filters of members, and the publications of a batch that pass them.
//!
//! Invariants
//! - Equal filters of a channel's members in one shard are one. A filter is evaluated once for each publication of a
//!   tick, and what passes is joined once per encoding, for all members that have it.
//! - A member whose [`Membership`](super::membership::Membership) is filtered has its filter here, in the snapshot that
//!   a tick works on too.
//! - News of clients pass every filter: they have no tags.
//! - Members of one filter cost one look-up each, by a number that no client chooses.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use bytes::Bytes;
use fanfare_core::{EncodingKey, Publication, SessionId, TagFilter};
use indexmap::IndexMap;
use smallvec::SmallVec;

/// The filters of a channel's members in one shard.
#[derive(Clone, Default)]
pub(crate) struct Filters {
    of: HashMap<SessionId, Arc<TagFilter>, BuildHasherDefault<NumberHasher>>,
    /// Each filter once, with the number of its members.
    distinct: HashMap<Arc<TagFilter>, usize>,
}

impl Filters {
    /// Adds a member that has no filter here.
    pub(crate) fn insert(&mut self, session: SessionId, filter: &Arc<TagFilter>) {
        let shared = match self.distinct.entry(filter.clone()) {
            Entry::Occupied(mut found) => {
                *found.get_mut() += 1;
                found.key().clone()
            }
            Entry::Vacant(vacant) => {
                vacant.insert(1);
                filter.clone()
            }
        };
        self.of.insert(session, shared);
    }

    /// Removes a member.
    pub(crate) fn remove(&mut self, session: SessionId) {
        let Some(filter) = self.of.remove(&session) else { return };
        if let Entry::Occupied(mut found) = self.distinct.entry(filter) {
            *found.get_mut() -= 1;
            if *found.get() == 0 {
                found.remove();
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}

/// Spreads the numbers of sessions, which no client chooses.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(self.0.rotate_left(8) ^ u64::from(*byte)));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        // The golden ratio, as in Fibonacci hashing. The table takes bits of both ends.
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 ^= self.0 >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Whether a subscriber with this filter gets a publication.
pub(crate) fn passes(filter: &TagFilter, publication: &Publication) -> bool {
    let attributes = publication.attributes.as_deref();
    publication.is_news() || filter.matches(attributes.map_or(&[], |attributes| &attributes.tags))
}

/// The filters of a batch's members, and what was found out with them.
pub(super) struct Filtering {
    filters: Arc<Filters>,
    /// By the address of the filter, which `filters` keeps alive.
    passed: IndexMap<usize, Passed>,
    /// The filter of the last member. Neighbours often share one.
    last: Option<(usize, PassedAt)>,
}

/// The publications of a batch that pass one filter.
pub(super) struct Passed {
    /// One for each publication of the batch.
    passes: SmallVec<[bool; 8]>,
    count: usize,
    /// The bytes of all of them, per encoding in use.
    whole: SmallVec<[(EncodingKey, Bytes); 1]>,
}

/// The place of a [`Passed`] in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PassedAt(usize);

impl Filtering {
    pub(super) fn new(filters: Arc<Filters>) -> Self {
        Self { filters, passed: IndexMap::new(), last: None }
    }

    /// Finds out which publications pass the filter of a member; `None` where it has none.
    pub(super) fn evaluate<'a>(
        &mut self,
        session: SessionId,
        publications: impl Iterator<Item = &'a Arc<Publication>>,
    ) -> Option<PassedAt> {
        let filter = self.filters.of.get(&session)?;
        let address = Arc::as_ptr(filter).addr();
        if let Some((_, at)) = self.last.filter(|(last, _)| *last == address) {
            return Some(at);
        }
        let entry = self.passed.entry(address);
        let at = PassedAt(entry.index());
        entry.or_insert_with(|| {
            let passes: SmallVec<_> = publications.map(|publication| passes(filter, publication)).collect();
            let count = passes.iter().filter(|passes| **passes).count();
            Passed { passes, count, whole: SmallVec::new() }
        });
        self.last = Some((address, at));
        Some(at)
    }

    pub(super) fn get(&self, at: PassedAt) -> Option<&Passed> {
        self.passed.get_index(at.0).map(|(_, passed)| passed)
    }

    pub(super) fn get_mut(&mut self, at: PassedAt) -> Option<&mut Passed> {
        self.passed.get_index_mut(at.0).map(|(_, passed)| passed)
    }
}

impl Passed {
    /// Whether the publication at this place of the batch passes.
    pub(super) fn has(&self, at: usize) -> bool {
        self.passes.get(at).is_some_and(|passes| *passes)
    }

    /// The number of publications that pass.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The bytes of all of them, where a member with this filter has joined them.
    pub(super) fn whole(&self, key: EncodingKey) -> Option<Bytes> {
        self.whole.iter().find(|(found, _)| *found == key).map(|(_, bytes)| bytes.clone())
    }

    /// Keeps the bytes of all of them for the other members.
    pub(super) fn keep(&mut self, key: EncodingKey, bytes: Bytes) {
        self.whole.push((key, bytes));
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::{
        Attributes, Channel, Payload,
        filter::{Condition, Test},
    };

    use super::*;

    fn filter(value: &str) -> Arc<TagFilter> {
        let test = Test::Is(value.to_owned());
        Arc::new(TagFilter::new(Condition::Tag { name: "k".to_owned(), test }).unwrap())
    }

    fn tagged(value: &str) -> Arc<Publication> {
        let attributes =
            Attributes { tags: vec![("k".to_owned(), value.to_owned())], ..Attributes::default() };
        let publication = Publication::new(Channel::new("a").unwrap(), Payload::text("x"), None);
        Arc::new(publication.with_attributes(Some(Box::new(attributes))))
    }

    #[test]
    fn equal_filters_are_evaluated_once() {
        let mut filters = Filters::default();
        for (session, value) in [(1, "a"), (2, "b"), (3, "a"), (4, "a")] {
            filters.insert(SessionId(session), &filter(value));
        }
        let mut filtering = Filtering::new(Arc::new(filters));
        let batch = [tagged("a"), tagged("b"), tagged("a")];
        let mut looked_at = 0;
        let mut evaluated = |session| {
            let publications = batch.iter().inspect(|_| looked_at += 1);
            let at = filtering.evaluate(SessionId(session), publications).unwrap();
            let passed = filtering.get(at).unwrap();
            ([passed.has(0), passed.has(1), passed.has(2), passed.has(3)], passed.count())
        };
        assert_eq!(evaluated(1), ([true, false, true, false], 2));
        assert_eq!(evaluated(2), ([false, true, false, false], 1));
        assert_eq!(evaluated(3), evaluated(4));
        assert_eq!(looked_at, 2 * batch.len(), "once for each of two filters");
        assert_eq!(filtering.evaluate(SessionId(5), batch.iter()), None);
    }

    #[test]
    fn the_last_member_takes_its_filter_along() {
        let mut filters = Filters::default();
        (1..4).for_each(|session| filters.insert(SessionId(session), &filter("a")));
        filters.insert(SessionId(4), &filter("b"));
        (1..4).for_each(|session| filters.remove(SessionId(session)));
        filters.remove(SessionId(9));
        assert_eq!((filters.of.len(), filters.distinct.len()), (1, 1));
        filters.remove(SessionId(4));
        assert!(filters.is_empty() && filters.distinct.is_empty());
    }
}
