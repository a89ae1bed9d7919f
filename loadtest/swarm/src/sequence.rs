//! The numbers of one sender that one receiver saw, in a few bytes: one number as long as nothing is missing.
//!
//! Invariant: of the numbers below `next`, exactly those in `gaps` were not seen.

use std::ops::Range;

/// The numbers that were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    next: u32,
    gaps: Vec<Range<u32>>,
}

/// The kind of a receipt, by the numbers before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receipt {
    InOrder,
    OutOfOrder,
    Doubled,
}

impl Seen {
    /// Notes a number.
    pub(crate) fn note(&mut self, number: u32) -> Receipt {
        if number >= self.next {
            if number > self.next {
                self.gaps.push(self.next..number);
            }
            self.next = number.saturating_add(1);
            return Receipt::InOrder;
        }
        let Some(place) = self.gaps.iter().position(|gap| gap.contains(&number)) else {
            return Receipt::Doubled;
        };
        let gap = self.gaps.swap_remove(place);
        let rest = [gap.start..number, number + 1..gap.end];
        self.gaps.extend(rest.into_iter().filter(|rest| !rest.is_empty()));
        Receipt::OutOfOrder
    }

    /// The count of different numbers that were seen.
    pub(crate) fn count(&self) -> u64 {
        u64::from(self.next) - self.in_gaps()
    }

    /// The count of numbers below `total` that were not seen.
    pub(crate) fn lost(&self, total: u32) -> u64 {
        self.in_gaps() + u64::from(total.saturating_sub(self.next))
    }

    /// The numbers below `total` that were not seen, in order.
    pub(crate) fn missing(&self, total: u32) -> Vec<u32> {
        let mut gaps = self.gaps.clone();
        gaps.sort_by_key(|gap| gap.start);
        gaps.push(self.next..total);
        gaps.into_iter().flatten().filter(|number| *number < total).collect()
    }

    fn in_gaps(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_copies_and_disorder_are_told_apart() {
        use Receipt::{Doubled, InOrder, OutOfOrder};
        for (numbers, orders, missing) in [
            (&[0, 1, 2, 3][..], &[InOrder; 4][..], &[][..]),
            (&[0, 1, 2], &[InOrder; 3], &[3]),
            (&[0, 3], &[InOrder; 2], &[1, 2]),
            (&[0, 2, 1, 3], &[InOrder, InOrder, OutOfOrder, InOrder], &[]),
            (&[0, 1, 1, 2, 3], &[InOrder, InOrder, Doubled, InOrder, InOrder], &[]),
            (&[3, 1, 1, 0, 3], &[InOrder, OutOfOrder, Doubled, OutOfOrder, Doubled], &[2]),
            (&[], &[], &[0, 1, 2, 3]),
        ] {
            let mut seen = Seen::default();
            let found: Vec<_> = numbers.iter().map(|number| seen.note(*number)).collect();
            assert_eq!((found, seen.missing(4)), (orders.to_vec(), missing.to_vec()), "{numbers:?}");
            assert_eq!((seen.lost(4), seen.count()), (missing.len() as u64, 4 - missing.len() as u64));
        }
    }
}
