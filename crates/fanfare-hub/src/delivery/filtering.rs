//! The share of members with wishes in a batch: the publications that pass their filters, or differences.
//!
//! Invariant: a filter is evaluated once for each publication of a tick, and the publications that pass are joined once
//! per encoding, for all members that have it. A member costs one step, however many publications the batch has.

use std::{hash::BuildHasherDefault, sync::Arc};

use bytes::Bytes;
use fanfare_core::{Dialect, EncodingKey, Publication, SessionId};
use indexmap::IndexMap;
use smallvec::SmallVec;

use super::{
    bases::{self, Lowest},
    by_member::{Next, NumberHasher},
    filters::passes,
    wishes::Wishes,
};

/// The wishes of a batch's members, and what was found out with them.
pub(super) struct Filtering {
    wishes: Arc<Wishes>,
    /// By the address of the filter, which `wishes` keeps alive.
    passed: IndexMap<usize, Passed, BuildHasherDefault<NumberHasher>>,
    next_filter: Next,
    lowest: Lowest,
    next_base: Next,
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
    pub(super) fn new<'a>(
        wishes: Arc<Wishes>,
        publications: impl Iterator<Item = &'a Arc<Publication>>,
    ) -> Self {
        Self {
            wishes,
            passed: IndexMap::default(),
            next_filter: Next::default(),
            lowest: bases::lowest(publications),
            next_base: Next::default(),
        }
    }

    /// The form of its dialect in which a member that gets differences gets the batch.
    pub(super) fn form(&mut self, session: SessionId, dialect: &'static dyn Dialect) -> &'static dyn Dialect {
        let base = self.wishes.bases.get_next(session, &mut self.next_base);
        bases::form(dialect, base, &self.lowest)
    }

    /// Finds out which publications pass the filter of a member; `None` where it has none.
    pub(super) fn evaluate<'a>(
        &mut self,
        session: SessionId,
        publications: impl Iterator<Item = &'a Arc<Publication>>,
    ) -> Option<PassedAt> {
        let filter = self.wishes.filters.of(session, &mut self.next_filter)?;
        let address = Arc::as_ptr(filter).addr();
        let evaluated = self.passed.get_index_of(&address);
        let at = evaluated.unwrap_or_else(|| {
            let passes: SmallVec<_> = publications.map(|publication| passes(filter, publication)).collect();
            let count = passes.iter().filter(|passes| **passes).count();
            self.passed.insert_full(address, Passed { passes, count, whole: SmallVec::new() }).0
        });
        Some(PassedAt(at))
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
        Attributes, Channel, Payload, TagFilter,
        filter::{Condition, Test},
    };

    use super::*;
    use crate::delivery::filters::Filters;

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
        let mut filtering = Filtering::new(Arc::new(Wishes { filters, ..Wishes::default() }), [].iter());
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
}
