//! What one member saw of one sender, in a few bytes: one number while all is well.
//!
//! Invariant: of the numbers below `next`, exactly those in `gaps` have not been seen.

use std::ops::Range;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    next: u32,
    gaps: Vec<Range<u32>>,
}

/// How a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coming {
    InOrder,
    OutOfOrder,
    Doubled,
}

impl Seen {
    pub(super) fn note(&mut self, number: u32) -> Coming {
        if number >= self.next {
            if number > self.next {
                self.gaps.push(self.next..number);
            }
            self.next = number.saturating_add(1);
            return Coming::InOrder;
        }
        let Some(place) = self.gaps.iter().position(|gap| gap.contains(&number)) else {
            return Coming::Doubled;
        };
        let gap = self.gaps.swap_remove(place);
        let rest = [gap.start..number, number + 1..gap.end];
        self.gaps.extend(rest.into_iter().filter(|rest| !rest.is_empty()));
        Coming::OutOfOrder
    }

    /// Of `total` messages, how many were not seen.
    pub(super) fn lost(&self, total: u32) -> u64 {
        let in_gaps: u64 = self.gaps.iter().map(|gap| gap.len() as u64).sum();
        in_gaps + u64::from(total.saturating_sub(self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(numbers: &[u32], total: u32) -> (Vec<Coming>, u64) {
        let mut seen = Seen::default();
        (numbers.iter().map(|number| seen.note(*number)).collect(), seen.lost(total))
    }

    #[test]
    fn what_is_lost_doubled_or_out_of_order_is_told_apart() {
        use Coming::{Doubled, InOrder, OutOfOrder};
        for (numbers, coming, lost) in [
            (&[0, 1, 2, 3][..], &[InOrder; 4][..], 0),
            (&[0, 1, 2], &[InOrder; 3], 1),
            (&[0, 3], &[InOrder; 2], 2),
            (&[0, 2, 1, 3], &[InOrder, InOrder, OutOfOrder, InOrder], 0),
            (&[0, 1, 1, 2, 3], &[InOrder, InOrder, Doubled, InOrder, InOrder], 0),
            (&[3, 1, 1, 0, 3], &[InOrder, OutOfOrder, Doubled, OutOfOrder, Doubled], 1),
            (&[], &[], 4),
        ] {
            assert_eq!(judge(numbers, 4), (coming.to_vec(), lost), "{numbers:?}");
        }
    }
}
