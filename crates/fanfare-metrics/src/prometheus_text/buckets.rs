//! A histogram: the number of observations up to each bound.

use std::ops::AddAssign;

/// Buckets by their upper bound, each with its own observations only.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    /// Buckets from cumulative counts, as Prometheus writes them, in any order. Counts of one bound are added.
    pub(crate) fn from_cumulative(counts: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut sum = Self::default();
        for (bound, count) in counts {
            sum.add(bound, count);
        }
        let mut below = 0.0;
        for (_, count) in &mut sum.0 {
            let cumulative = *count;
            // In a text that was written during a change, a larger bound may have the smaller count.
            *count = (cumulative - below).max(0.0);
            below = cumulative.max(below);
        }
        sum
    }

    fn add(&mut self, bound: f64, count: f64) {
        let at = self.0.partition_point(|(other, _)| *other < bound);
        match self.0.get_mut(at) {
            Some((found, sum)) if *found == bound => *sum += count,
            _ => self.0.insert(at, (bound, count)),
        }
    }

    /// The observations since `before`. If a count fell, the process restarted: all observations came since.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let earlier =
            |bound: f64| before.0.iter().find(|(other, _)| *other == bound).map_or(0.0, |(_, n)| *n);
        if self.0.iter().any(|(bound, count)| *count < earlier(*bound)) {
            return self.clone();
        }
        Self(self.0.iter().map(|(bound, count)| (*bound, count - earlier(*bound))).collect())
    }

    /// The number of observations.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// The upper limit of this share (0 to 1) of the observations, which count as evenly spread within each bucket.
    /// `None` without observations. Beyond the last finite bound, that bound: a lower limit.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count <= 0.0 {
            return None;
        }
        let (rank, mut below, mut lower) = (share.clamp(0.0, 1.0) * count, 0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count > 0.0 && below + count >= rank {
                let within = ((rank - below) / count).clamp(0.0, 1.0);
                return Some(if bound.is_finite() { lower + (bound - lower) * within } else { lower });
            }
            below += count;
            lower = if bound.is_finite() { *bound } else { lower };
        }
        Some(lower)
    }
}

impl AddAssign<&Self> for Buckets {
    fn add_assign(&mut self, other: &Self) {
        for (bound, count) in &other.0 {
            self.add(*bound, *count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: f64 = f64::INFINITY;

    fn buckets(cumulative: &[(f64, f64)]) -> Buckets {
        Buckets::from_cumulative(cumulative.iter().copied())
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let of = buckets(&[(0.001, 50.0), (0.01, 90.0), (0.1, 100.0), (MORE, 100.0)]);
        let quantile = |share| (of.quantile(share).unwrap() * 1e6).round();
        assert_eq!(
            [0.0, 0.25, 0.5, 0.7, 0.99, 1.0].map(quantile),
            [0.0, 500.0, 1000.0, 5500.0, 91_000.0, 100_000.0]
        );
        assert_eq!(buckets(&[(1.0, 0.0), (MORE, 3.0)]).quantile(0.5), Some(1.0));
        assert_eq!(buckets(&[(1.0, 0.0), (MORE, 0.0)]).quantile(0.5), None);
        assert_eq!(Buckets::default().quantile(0.5), None);
    }

    #[test]
    fn counts_between_two_moments_survive_a_reset() {
        let before = buckets(&[(1.0, 5.0), (MORE, 7.0)]);
        let after = buckets(&[(1.0, 6.0), (MORE, 10.0)]);
        assert_eq!(after.since(&before), Buckets(vec![(1.0, 1.0), (MORE, 2.0)]));
        let restarted = buckets(&[(1.0, 1.0), (MORE, 9.0)]);
        assert_eq!(restarted.since(&before), restarted);
        assert_eq!(after.since(&Buckets::default()), after);
    }

    #[test]
    fn series_and_nodes_add_up() {
        let mut sum = buckets(&[(MORE, 2.0), (1.0, 1.0), (1.0, 3.0), (MORE, 4.0)]);
        assert_eq!(sum, Buckets(vec![(1.0, 4.0), (MORE, 2.0)]));
        sum += &buckets(&[(0.5, 1.0), (MORE, 2.0)]);
        assert_eq!(sum, Buckets(vec![(0.5, 1.0), (1.0, 4.0), (MORE, 3.0)]));
        assert_eq!(sum.count(), 8.0);
    }
}
