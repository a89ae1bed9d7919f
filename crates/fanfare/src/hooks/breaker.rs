//! Fails questions at once while the backend is away.
//!
//! Invariants
//! - After [`FAILURES`] failures in a row it is open for [`PAUSE`]: no question is sent.
//! - Then one question is sent. Its success closes the breaker, its failure opens it again.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

const FAILURES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(5);

/// See the head of this file.
#[derive(Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Whether a question may be sent.
    pub(super) fn lets_through(&self, now: Instant) -> bool {
        let mut state = self.0.lock();
        match state.open_until {
            Some(until) if now < until => false,
            Some(_) => {
                // Other questions wait for the result of this one, but not for ever: its client may go.
                state.open_until = Some(now + PAUSE);
                true
            }
            None => true,
        }
    }

    /// A question was answered, or failed.
    pub(super) fn note(&self, now: Instant, is_answered: bool) {
        let mut state = self.0.lock();
        if is_answered {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.open_until = Some(now + PAUSE);
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.lock().open_until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_opens_and_closes() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES {
            assert!(breaker.lets_through(now));
            breaker.note(now, false);
        }
        assert!(breaker.is_open() && !breaker.lets_through(now));
        now += PAUSE;
        assert!(breaker.lets_through(now), "one question tries");
        assert!(!breaker.lets_through(now), "and no other");
        breaker.note(now, false);
        assert!(!breaker.lets_through(now));
        now += PAUSE;
        assert!(breaker.lets_through(now));
        breaker.note(now, true);
        assert!(!breaker.is_open() && breaker.lets_through(now));
    }
}
