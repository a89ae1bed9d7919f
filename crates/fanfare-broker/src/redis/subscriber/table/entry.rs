//! One channel of the table.

use std::time::Instant;

use crate::liveness::sequence::Seen;

/// Somebody who waits for a subscription.
pub(crate) trait Waiter {
    /// Whether nobody waits any more.
    fn is_gone(&self) -> bool;
}

#[derive(Debug)]
pub(super) enum State<W> {
    /// SUBSCRIBE is on its way, or waits for a connection.
    Subscribing {
        waiters: Vec<W>,
        /// Whether somebody wants it still.
        wanted: bool,
    },
    Subscribed,
    /// Nobody wants it; it ends at that time.
    Lingering(Instant),
    /// UNSUBSCRIBE is on its way.
    Unsubscribing,
    /// It stood once; Redis forbids it now. It is tried again from time to time.
    Forbidden,
}

/// What became of a channel so far, as far as those who want it are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Past {
    /// It was not confirmed yet.
    New,
    /// It was, and is restored whenever it does not stand.
    Stood,
    /// It stood, and Redis forbade it since.
    Forbidden,
    /// And the node was told meanwhile that its subscriptions stand.
    Lost,
}

#[derive(Debug)]
pub(super) struct Entry<W> {
    pub(super) state: State<W>,
    pub(super) past: Past,
    /// Since when Redis holds it, as far as confirmations go.
    pub(super) held: Option<Instant>,
    /// Whether it stands in the queue of the lingering. Once is enough.
    pub(super) queued: bool,
    pub(super) seen: Seen,
}
