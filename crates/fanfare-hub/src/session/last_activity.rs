//! When a session's client was last active, by the clock of the session's shard.

use std::sync::atomic::{AtomicU32, Ordering};

/// In the place of a second, later than any: the client is not read.
const UNREAD: u32 = u32::MAX >> 1;

/// Set beside the second while a ping waits for its answer. Seconds do not reach it.
const PINGED: u32 = 1 << 31;

/// The last seconds in which something happened on a session.
#[derive(Debug)]
pub(crate) struct LastActivity {
    heard: AtomicU32,
    message: AtomicU32,
}

impl LastActivity {
    pub(crate) fn new(now: u32) -> Self {
        Self { heard: AtomicU32::new(now), message: AtomicU32::new(now) }
    }

    /// The client showed a sign of life. No ping waits for its answer any more.
    pub(crate) fn heard(&self, now: u32) {
        self.heard.store(now, Ordering::Relaxed);
    }

    /// The client is about to be pinged.
    pub(crate) fn pinged(&self) {
        self.heard.fetch_or(PINGED, Ordering::Relaxed);
    }

    /// Whether a ping waits for its answer.
    pub(crate) fn is_pinged(&self) -> bool {
        self.heard.load(Ordering::Relaxed) & PINGED != 0
    }

    /// The client's socket takes bytes again.
    pub(crate) fn took(&self, now: u32) {
        let before = self.heard.load(Ordering::Relaxed);
        if before & UNREAD != UNREAD {
            let took = now | before & PINGED;
            // The exchange fails where the session's reader was faster: its value is newer.
            let _ = self.heard.compare_exchange(before, took, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// From now on the client is not read, until [`LastActivity::read`].
    pub(crate) fn unread(&self) {
        self.heard.fetch_or(UNREAD, Ordering::Relaxed);
    }

    /// The client is read again. It may have sent something meanwhile, so it counts as active now.
    pub(crate) fn read(&self, now: u32) {
        self.message(now);
        let pinged = self.heard.load(Ordering::Relaxed) & PINGED;
        self.heard.store(now | pinged, Ordering::Relaxed);
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.heard.load(Ordering::Relaxed) & UNREAD == UNREAD
    }

    /// A message came or went.
    pub(crate) fn message(&self, now: u32) {
        self.message.store(now, Ordering::Relaxed);
    }

    /// The second of the client's last sign of life; later than any other while the client is not read.
    pub(crate) fn heard_at(&self) -> u32 {
        self.heard.load(Ordering::Relaxed) & !PINGED
    }

    /// The second of the last message in either direction.
    pub(crate) fn message_at(&self) -> u32 {
        self.message.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_waits_until_it_is_answered() {
        let activity = LastActivity::new(3);
        activity.pinged();
        assert_eq!((activity.is_pinged(), activity.heard_at(), activity.is_unread()), (true, 3, false));
        activity.unread();
        assert!(activity.is_unread() && activity.is_pinged());
        activity.read(5);
        activity.took(6);
        assert_eq!((activity.is_pinged(), activity.heard_at()), (true, 6));
        activity.heard(7);
        assert_eq!((activity.is_pinged(), activity.heard_at()), (false, 7));
    }
}
