//! Values of some members of a channel.
//!
//! Invariants
//! - The values lie in the order in which their members joined, and a fan-out comes in that order too. So the next value
//!   is beside the last one, and a look-up is left to the members that changed places as others left.
//! - A value is found by the number of its session, which no client chooses: no hash has to be safe from clients.

use std::hash::{BuildHasherDefault, Hasher};

use fanfare_core::SessionId;
use indexmap::IndexMap;

/// See the head of this file.
#[derive(Clone)]
pub(crate) struct ByMember<T>(IndexMap<SessionId, T, BuildHasherDefault<NumberHasher>>);

/// The place beside the last value that was found.
#[derive(Default)]
pub(crate) struct Next(usize);

impl<T> Default for ByMember<T> {
    fn default() -> Self {
        Self(IndexMap::default())
    }
}

impl<T> ByMember<T> {
    pub(crate) fn insert(&mut self, session: SessionId, value: T) {
        self.0.insert(session, value);
    }

    pub(crate) fn remove(&mut self, session: SessionId) -> Option<T> {
        self.0.swap_remove(&session)
    }

    pub(crate) fn get(&self, session: SessionId) -> Option<&T> {
        self.0.get(&session)
    }

    /// The value of a member, which is at `next` where members come in order.
    pub(crate) fn get_next(&self, session: SessionId, next: &mut Next) -> Option<&T> {
        let (at, value) = match self.0.get_index(next.0) {
            Some((found, value)) if *found == session => (next.0, value),
            _ => self.0.get_full(&session).map(|(at, _, value)| (at, value))?,
        };
        next.0 = at + 1;
        Some(value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Spreads numbers.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_in_any_order() {
        let mut values = ByMember::default();
        (0..100).for_each(|number| values.insert(SessionId(number), number));
        assert_eq!((values.remove(SessionId(3)), values.remove(SessionId(3))), (Some(3), None));
        let mut next = Next::default();
        for number in (0..100).chain((0..100).rev()).chain([7, 7, 50, 8]) {
            let wanted = (number != 3).then_some(&number);
            assert_eq!(values.get_next(SessionId(number), &mut next), wanted);
            assert_eq!(values.get(SessionId(number)), wanted);
        }
    }
}
