//! The places from which on members get differences.
//!
//! A subscriber can apply a difference only where it has the publication before. So its first publication is whole, but
//! where it recovered the one before it.
//!
//! Invariant: a member whose [`Membership`](super::membership::Membership) is delta has its place here, in the snapshot
//! that a tick works on too. Before the place is known, it gets whole publications.

use std::{collections::HashMap, sync::Arc};

use fanfare_core::{Dialect, Position, Publication, SessionId};

/// The position of the first publication that may be a difference for a member; `None`: it is not known yet.
pub(crate) type Base = Option<Position>;

/// The places of a channel's members in one shard.
#[derive(Clone, Default)]
pub(crate) struct Bases(HashMap<SessionId, Base>);

impl Bases {
    pub(crate) fn insert(&mut self, session: SessionId, base: Base) {
        self.0.insert(session, base);
    }

    pub(crate) fn remove(&mut self, session: SessionId) {
        self.0.remove(&session);
    }

    /// The place of a member; `None` also for others.
    pub(crate) fn get(&self, session: SessionId) -> Base {
        self.0.get(&session).copied().flatten()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The form of the dialect in which a member gets publications that leave together: differences where each of them may
/// be one, and else whole ones.
pub(crate) fn form<'a>(
    dialect: &'static dyn Dialect,
    base: Base,
    mut publications: impl Iterator<Item = &'a Arc<Publication>>,
) -> &'static dyn Dialect {
    let Some(forms) = dialect.delta() else { return dialect };
    let may_differ = |first: Position| {
        // A member outlives a history: of the next one it has all.
        publications
            .all(|one| one.position.is_none_or(|at| at.epoch != first.epoch || at.offset >= first.offset))
    };
    if base.is_some_and(may_differ) { forms.patch } else { forms.full }
}
