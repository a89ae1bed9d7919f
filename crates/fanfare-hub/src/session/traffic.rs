//! What went through a session in either direction, and since when it is a connection.
//!
//! Invariants
//! - Each count has one writer at a time: of what came, whoever reads the transport; of what went, whoever holds the
//!   lock of the session's [`Outbound`](crate::session::outbound::Outbound). So counting is a load and a store, and no
//!   addition that others have to wait for.
//! - Bytes are those of the transport: frames and all, behind HTTP's handshake, before TLS. They went once the
//!   kernel took them; what is queued did not, and what a session that ends leaves queued never does.
//! - A message came once it is whole, and went with its last byte; what a tick joined for one session went together.
//!   The transport's own pings, pongs and goodbyes are none.

use std::{
    ops::AddAssign,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// What connections begin is measured from here, so that a session keeps one number of it.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What went in one direction.
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

/// Traffic that one writer at a time adds to, and anybody may read.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Counts {
    /// For the one writer.
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

/// A session's own account, but for what went, which its [`Outbound`](crate::session::outbound::Outbound) keeps.
#[derive(Debug, Default)]
pub(crate) struct SessionTraffic {
    pub(crate) received: Counts,
    /// In microseconds from the epoch, and one more; 0: its client was not told yet that it is in.
    began: AtomicU64,
}

impl SessionTraffic {
    /// From now on the session is a connection.
    pub(crate) fn begin(&self) {
        let micros = u64::try_from(EPOCH.elapsed().as_micros()).unwrap_or(u64::MAX - 1);
        self.began.store(micros + 1, Ordering::Relaxed);
    }

    /// For how long it is one; `None`: it never was.
    pub(crate) fn lasted(&self) -> Option<Duration> {
        let began = self.began.load(Ordering::Relaxed).checked_sub(1)?;
        Some(EPOCH.elapsed().saturating_sub(Duration::from_micros(began)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_let_in_has_lasted() {
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
