//! The way of a publisher whose items a Cluster does not run: it waits and writes them again, or leaves. No I/O, no clock.
//!
//! Invariants:
//! - An item that was not run is written again only once all that was written before is answered. So items of one channel
//!   keep their order: what was behind it was not run for the same reason.
//! - After a wait, one item is written, and the others once Redis ran it.
//! - A connection that is left is kept until all is answered, for [`LEAVING`] at most: the outcome of what is under way is
//!   told by the old node.

use std::time::Duration;

use tokio::time::Instant;

/// The time until items that were not run are written again.
const AGAIN: Duration = Duration::from_millis(50);
/// How long the answers of a node that is left are waited for.
const LEAVING: Duration = Duration::from_secs(1);

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Course {
    waits_until: Option<Instant>,
    /// The code word with which Redis did not run the last item; `None` once it ran one.
    refused: Option<String>,
    leaves_until: Option<Instant>,
}

impl Course {
    /// Redis did not run an item, and may do so later.
    pub(super) fn wait(&mut self, code: String, now: Instant) {
        self.waits_until = Some(now + AGAIN);
        self.refused = Some(code);
    }

    /// Redis ran an item.
    pub(super) fn ran(&mut self) {
        if self.waits_until.is_none() {
            self.refused = None;
        }
    }

    /// The connection is to be left.
    pub(super) fn leave(&mut self, now: Instant) {
        self.leaves_until.get_or_insert(now + LEAVING);
    }

    pub(super) fn leaves(&self) -> bool {
        self.leaves_until.is_some()
    }

    /// Whether the connection can be left. `is_answered`: nothing is under way.
    pub(super) fn has_left(&self, is_answered: bool, now: Instant) -> bool {
        self.leaves_until.is_some_and(|until| is_answered || until <= now)
    }

    /// Whether an item may be written. `is_answered`: no item is under way. Asked for each item, so it looks at nothing
    /// while Redis runs them.
    pub(super) fn may_write(
        &mut self,
        is_answered: impl FnOnce() -> bool,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        if self.refused.is_none() {
            return !self.leaves();
        }
        let now = now();
        self.waits_until.take_if(|until| *until <= now);
        self.waits_until.is_none() && !self.leaves() && is_answered()
    }

    /// The code word with which Redis did not run the last item.
    pub(super) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// When it has to be asked again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waits_until.into_iter().chain(self.leaves_until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_item_is_tried_after_a_wait() {
        let (mut course, now) = (Course::default(), Instant::now());
        assert!(course.may_write(|| false, || now));
        course.wait("ASK".into(), now);
        course.ran();
        assert!(!course.may_write(|| true, || now), "what ran was written before");
        assert_eq!((course.refused(), course.deadline()), (Some("ASK"), Some(now + AGAIN)));
        assert!(!course.may_write(|| false, || now + AGAIN));
        assert!(course.may_write(|| true, || now + AGAIN));
        course.ran();
        assert!(course.may_write(|| false, || now + AGAIN));
        assert_eq!((course.refused(), course.deadline()), (None, None));
    }

    #[test]
    fn a_connection_is_left_once_all_is_answered() {
        let (mut course, now) = (Course::default(), Instant::now());
        assert!(!course.has_left(true, now));
        course.leave(now);
        assert!(!course.has_left(false, now) && course.has_left(true, now));
        assert!(!course.may_write(|| true, || now));
        course.leave(now + LEAVING / 2);
        assert!(course.has_left(false, now + LEAVING), "the time begins once");
    }
}
