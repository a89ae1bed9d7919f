//! The filters of members.
//!
//! Invariants
//! - Equal filters of a channel's members in one shard are one.
//! - A member whose [`Membership`](super::membership::Membership) is filtered has its filter here, in the snapshot that
//!   a tick works on too.
//! - News of clients pass every filter: they have no tags.
//! - Members of one filter cost one look-up each, by a number that no client chooses.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use fanfare_core::{Publication, SessionId, TagFilter};

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

    /// The filter of a member.
    pub(crate) fn of(&self, session: SessionId) -> Option<&Arc<TagFilter>> {
        self.of.get(&session)
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
    publication.is_notice() || filter.matches(attributes.map_or(&[], |attributes| &attributes.tags))
}

#[cfg(test)]
mod tests {
    use fanfare_core::filter::{Condition, Test};

    use super::*;

    fn filter(value: &str) -> Arc<TagFilter> {
        let test = Test::Is(value.to_owned());
        Arc::new(TagFilter::new(Condition::Tag { name: "k".to_owned(), test }).unwrap())
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
