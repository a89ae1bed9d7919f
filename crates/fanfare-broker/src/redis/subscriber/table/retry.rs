//! When commands that Redis did not take are tried again.
//!
//! Invariant: the next attempt comes [`FIRST`] after a refusal, and twice as long after each refusal that follows the
//! one before within [`FORGET`], up to [`LONGEST`].

use std::time::{Duration, Instant};

use fanfare_core::Channel;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);
const FORGET: Duration = Duration::from_secs(5);

/// The commands that wait to be tried again.
#[derive(Debug, Default)]
pub(super) struct Postponed {
    /// The node's own channels.
    pub(super) control: bool,
    pub(super) channels: Vec<Channel>,
    /// Whether a channel among them was confirmed before.
    pub(super) restores: bool,
    /// When they are tried again; `None` where none waits.
    pub(super) at: Option<Instant>,
    /// The last refusal, and the number of those that came shortly before it.
    pub(super) last: Option<(Instant, u32)>,
}

impl Postponed {
    /// Redis refused a command. How long to wait.
    pub(super) fn delay(&mut self, now: Instant) -> Duration {
        let before = self.last.filter(|(last, _)| now.saturating_duration_since(*last) < FORGET);
        let refusals = match (before, self.at) {
            (None, _) => 0,
            // It was refused together with others.
            (Some((_, refusals)), Some(_)) => refusals,
            (Some((_, refusals)), None) => refusals + 1,
        };
        self.last = Some((now, refusals));
        LONGEST.min(FIRST * (1 << refusals.min(6)))
    }

    pub(super) fn wait(&mut self, now: Instant) {
        let delay = self.delay(now);
        self.at.get_or_insert(now + delay);
    }
}
