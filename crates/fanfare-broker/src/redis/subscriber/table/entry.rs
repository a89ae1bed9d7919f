//! One channel of the table.

use std::time::Instant;

use crate::liveness::sequence::SequenceCheck;

/// A caller that waits for a subscription.
pub(crate) trait Waiter {
    /// Whether it waits no longer.
    fn is_gone(&self) -> bool;
}

#[derive(Debug)]
pub(super) enum State<W> {
    /// SUBSCRIBE is on its way, or waits for a connection.
    Subscribing {
        waiters: Vec<W>,
        /// Whether the channel is still wanted.
        wanted: bool,
    },
    Subscribed,
    /// It is not wanted, and ends at that time.
    Lingering(Instant),
    /// UNSUBSCRIBE is on its way.
    Unsubscribing,
    /// It was confirmed before, and Redis forbids it now. It is tried again from time to time.
    Forbidden,
}

/// The past of a channel, for its waiters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Past {
    /// It was not confirmed yet.
    New,
    /// It was confirmed, and is restored after each interruption.
    Confirmed,
    /// It was confirmed, and Redis forbade it since.
    Forbidden,
    /// Redis forbade it, and the node's subscriptions were up meanwhile.
    Lost,
}

#[derive(Debug)]
pub(super) struct Entry<W> {
    pub(super) state: State<W>,
    pub(super) past: Past,
    /// Since when Redis holds it, by its confirmations.
    pub(super) held: Option<Instant>,
    /// Whether it is in the queue of lingering channels.
    pub(super) queued: bool,
    pub(super) sequence: SequenceCheck,
}
