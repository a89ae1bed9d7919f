//! The filters of members.
//!
//! Invariants
//! - Equal filters of a channel's members in one shard are one.
//! - A member whose [`Membership`](super::membership::Membership) is filtered has its filter here, in the snapshot that
//!   a tick works on too.
//! - News of clients pass every filter: they have no tags.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use fanfare_core::{Publication, SessionId, TagFilter};

use super::by_member::{ByMember, Next};

/// The filters of a channel's members in one shard.
#[derive(Clone, Default)]
pub(crate) struct Filters {
    of: ByMember<Arc<TagFilter>>,
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
        let Some(filter) = self.of.remove(session) else { return };
        if let Entry::Occupied(mut found) = self.distinct.entry(filter) {
            *found.get_mut() -= 1;
            if *found.get() == 0 {
                found.remove();
            }
        }
    }

    /// The filter of a member, which is at `next` where members come in order.
    pub(crate) fn of(&self, session: SessionId, next: &mut Next) -> Option<&Arc<TagFilter>> {
        self.of.get_next(session, next)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.of.is_empty()
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
        assert_eq!((filters.is_empty(), filters.distinct.len()), (false, 1));
        filters.remove(SessionId(4));
        assert!(filters.is_empty() && filters.distinct.is_empty());
    }
}
