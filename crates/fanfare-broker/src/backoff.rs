//! The time between two attempts to reach a broker.

use std::time::Duration;

/// Exponential back-off with full jitter: each wait is drawn evenly from zero to a cap that doubles from 50 ms to 1 s.
/// So nodes that lost one broker do not come back all at once.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);
    /// For a mistake in the configuration, which a person corrects: soon after that, and never a storm.
    const CONFIGURATION: Duration = Duration::from_secs(2);

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let cap = self.cap();
        self.failures = self.failures.saturating_add(1);
        jitter(Duration::ZERO, cap)
    }

    /// The wait after the broker said that the configuration is wrong: 1 to 2 s.
    pub(crate) fn configuration() -> Duration {
        jitter(Self::CONFIGURATION / 2, Self::CONFIGURATION)
    }

    /// Begins anew: the broker was reached.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    fn cap(&self) -> Duration {
        // 50 ms doubled five times is past the longest already.
        Self::LONGEST.min(Self::FIRST * (1 << self.failures.min(5)))
    }
}

fn jitter(from: Duration, to: Duration) -> Duration {
    rand::random_range(from..=to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_doubles_up_to_a_second() {
        let mut backoff = Backoff::default();
        let mut caps = Vec::new();
        for _ in 0..8 {
            caps.push(backoff.cap().as_millis());
            assert!(backoff.next() <= Backoff::LONGEST);
        }
        assert_eq!(caps, [50, 100, 200, 400, 800, 1000, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.cap(), Backoff::FIRST);
    }
}
