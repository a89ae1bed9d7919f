//! The places from which on members get differences.
//!
//! A subscriber can apply a difference only where it has the publication before. So its first publication is whole, but
//! where it recovered the one before it.
//!
//! Invariant: a member whose [`Membership`](super::membership::Membership) is delta has its place here, in the snapshot
//! that a tick works on too. Before the place is known, it gets whole publications.

use std::sync::Arc;

use fanfare_core::{Dialect, Position, Publication, SessionId};
use smallvec::SmallVec;

use super::by_member::{ByMember, Next};

/// The position of the first publication that may be a difference for a member; `None`: it is not known yet.
pub(crate) type Base = Option<Position>;

/// The places of a channel's members in one shard.
#[derive(Clone, Default)]
pub(crate) struct Bases(ByMember<Base>);

impl Bases {
    pub(crate) fn insert(&mut self, session: SessionId, base: Base) {
        self.0.insert(session, base);
    }

    pub(crate) fn remove(&mut self, session: SessionId) {
        self.0.remove(session);
    }

    /// The place of a member; `None` also for others.
    pub(crate) fn get(&self, session: SessionId) -> Base {
        self.0.get(session).copied().flatten()
    }

    /// [`Bases::get`] of a member that is at `next` where members come in order.
    pub(crate) fn get_next(&self, session: SessionId, next: &mut Next) -> Base {
        self.0.get_next(session, next).copied().flatten()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The lowest positions of publications that leave together, one for each history that they are from.
pub(crate) type Lowest = SmallVec<[Position; 1]>;

pub(crate) fn lowest<'a>(publications: impl Iterator<Item = &'a Arc<Publication>>) -> Lowest {
    let mut lowest = Lowest::new();
    for at in publications.filter_map(|publication| publication.position) {
        match lowest.iter_mut().find(|found| found.epoch == at.epoch) {
            Some(found) => found.offset = found.offset.min(at.offset),
            None => lowest.push(at),
        }
    }
    lowest
}

/// The form of the dialect in which a member gets publications that leave together: differences where each of them may
/// be one, and else whole ones.
pub(crate) fn form(dialect: &'static dyn Dialect, base: Base, lowest: &[Position]) -> &'static dyn Dialect {
    let Some(forms) = dialect.delta() else { return dialect };
    let may_differ = |first: Position| {
        // A member outlives a history: of the next one it has all.
        lowest.iter().all(|at| at.epoch != first.epoch || at.offset >= first.offset)
    };
    if base.is_some_and(may_differ) { forms.patch } else { forms.full }
}
