//! When a session's client was last active, by the clock of the session's shard.

use std::sync::atomic::{AtomicU32, Ordering};

/// Later than any second: stands in `heard` while the client is not read.
const UNREAD: u32 = u32::MAX;

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

    /// Bytes came from the client.
    pub(crate) fn heard(&self, now: u32) {
        self.heard.store(now, Ordering::Relaxed);
    }

    /// The client's socket takes bytes again.
    pub(crate) fn took(&self, now: u32) {
        let before = self.heard.load(Ordering::Relaxed);
        if before != UNREAD {
            // The exchange fails where the session's reader was faster: its value is newer.
            let _ = self.heard.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// From now on the client is not read, until [`LastActivity::read`].
    pub(crate) fn unread(&self) {
        self.heard.store(UNREAD, Ordering::Relaxed);
    }

    /// The client is read again. It may have sent something meanwhile, so it counts as active now.
    pub(crate) fn read(&self, now: u32) {
        self.message(now);
        self.heard(now);
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.heard.load(Ordering::Relaxed) == UNREAD
    }

    /// A message came or went.
    pub(crate) fn message(&self, now: u32) {
        self.message.store(now, Ordering::Relaxed);
    }

    /// The second of the last bytes from the client; later than any other while the client is not read.
    pub(crate) fn heard_at(&self) -> u32 {
        self.heard.load(Ordering::Relaxed)
    }

    /// The second of the last message in either direction.
    pub(crate) fn message_at(&self) -> u32 {
        self.message.load(Ordering::Relaxed)
    }
}
