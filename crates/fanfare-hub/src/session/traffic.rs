//! The messages and bytes of one session in either direction, and how long it has been a connection.
//!
//! Invariants
//! - Each count has one writer at a time. Received: the reader of the transport. Sent: the holder of the lock of the
//!   session's [`Outbound`](crate::session::outbound::Outbound). So counting is a load and a store, not an atomic
//!   addition.
//! - Bytes are those of the transport: whole frames, after HTTP's handshake, before TLS. They count as sent when the
//!   kernel took them. Queued bytes do not count, and those that a session leaves queued at its end never do.
//! - A message counts as received when it is whole, and as sent with its last byte. Messages that a tick joined for one
//!   session count together. Pings, pongs and close frames of the transport are not messages.

use std::{
    ops::AddAssign,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The begins of connections are measured from here, so that a session keeps one number.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The traffic of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Whole messages.
    pub messages: u64,
    /// Bytes of the transport.
    pub bytes: u64,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, more: Self) {
        self.messages += more.messages;
        self.bytes += more.bytes;
    }
}

/// Traffic with one writer at a time and any number of readers.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Counts {
    /// Called by the one writer.
    pub(crate) fn add(&self, more: Traffic) {
        let add = |count: &AtomicU64, more: u64| {
            count.store(count.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        };
        add(&self.messages, more.messages);
        add(&self.bytes, more.bytes);
    }

    pub(crate) fn get(&self) -> Traffic {
        Traffic { messages: self.messages.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }
}

/// The counts of a session, except its sent traffic, which its [`Outbound`](crate::session::outbound::Outbound) keeps.
#[derive(Debug, Default)]
pub(crate) struct SessionTraffic {
    pub(crate) received: Counts,
    /// Microseconds from the epoch, plus one; 0: the client was not admitted.
    began: AtomicU64,
}

impl SessionTraffic {
    /// The client is admitted: from now on the session is a connection.
    pub(crate) fn begin(&self) {
        let micros = u64::try_from(EPOCH.elapsed().as_micros()).unwrap_or(u64::MAX - 1);
        self.began.store(micros + 1, Ordering::Relaxed);
    }

    /// How long the session has been a connection; `None`: it never was one.
    pub(crate) fn lasted(&self) -> Option<Duration> {
        let began = self.began.load(Ordering::Relaxed).checked_sub(1)?;
        Some(EPOCH.elapsed().saturating_sub(Duration::from_micros(began)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_admitted_client_has_lasted() {
        let traffic = SessionTraffic::default();
        assert_eq!(traffic.lasted(), None);
        traffic.begin();
        assert!(traffic.lasted().is_some());
    }

    #[test]
    fn counts_add_up() {
        let counts = Counts::default();
        counts.add(Traffic { messages: 1, bytes: 7 });
        counts.add(Traffic { messages: 0, bytes: 2 });
        assert_eq!(counts.get(), Traffic { messages: 1, bytes: 9 });
    }
}
