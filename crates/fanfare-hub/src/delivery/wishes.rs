//! The wishes of a channel's members in one shard that do not get each publication as it comes.

use std::sync::Arc;

use fanfare_core::SessionId;

use super::{
    bases::Bases,
    filters::Filters,
    membership::{Joining, Membership},
};

/// See the head of this file. A tick works on a snapshot.
#[derive(Clone, Default)]
pub(crate) struct Wishes {
    pub(crate) filters: Filters,
    pub(crate) bases: Bases,
}

impl Wishes {
    /// Whether a session that joins belongs here.
    pub(crate) fn has(joining: &Joining) -> bool {
        joining.filter.is_some() || joining.delta
    }

    /// Whether a member is here.
    pub(crate) fn has_member(membership: Membership) -> bool {
        membership.is_filtered() || membership.is_delta()
    }

    /// Adds a member that is not here.
    pub(crate) fn insert(&mut self, session: SessionId, joining: &Joining) {
        if let Some(filter) = &joining.filter {
            self.filters.insert(session, filter);
        }
        if joining.delta {
            self.bases.insert(session, None);
        }
    }

    /// Removes a member. Whether no other is here.
    pub(crate) fn remove(this: &mut Arc<Self>, session: SessionId) -> bool {
        let wishes = Arc::make_mut(this);
        wishes.filters.remove(session);
        wishes.bases.remove(session);
        wishes.filters.is_empty() && wishes.bases.is_empty()
    }
}
