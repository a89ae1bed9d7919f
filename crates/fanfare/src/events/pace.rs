//! The time between two attempts while the backend is away.

use std::time::Duration;

/// Exponential: each wait is drawn from the upper half of a cap that doubles from half a second to 30 s.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(30);

    /// The next wait.
    pub(super) fn next(&mut self) -> Duration {
        let cap = Self::LONGEST.min(Self::FIRST * (1 << self.failures.min(6)));
        self.failures = self.failures.saturating_add(1);
        rand::random_range(cap / 2..=cap)
    }

    /// Begins anew: the backend answered.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_half_a_minute() {
        let mut pace = Pace::default();
        for cap in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            let wait = pace.next().as_millis();
            assert!((cap / 2..=cap).contains(&wait), "{wait} of {cap}");
        }
        pace.reset();
        assert!(pace.next() <= Pace::FIRST);
    }
}
