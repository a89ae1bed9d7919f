//! Which node, which session, which client.

use std::{fmt, time::SystemTime};

use crate::Channel;

/// One run of one node: drawn at random at start, never reused.
///
/// A restarted node of the same name is another incarnation, so what an earlier run left behind (in Redis,
/// in flight) is never taken for its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incarnation({self})")
    }
}

/// One session on one incarnation; counted up from 1, never reused within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Who a client is that showed a token. Checked once, when it came in.
pub trait Identity: Send + Sync + 'static {
    /// Who it says that it is, where it says so: for the log.
    fn subject(&self) -> Option<&str>;

    /// Whether it may subscribe to and publish in a channel whose namespace asks for a token.
    fn may_use(&self, channel: &Channel) -> bool;

    /// When it is worth nothing any more, and its session ends; `None`: never.
    fn expires_at(&self) -> Option<SystemTime>;
}

/// Where a publication came from. One without an origin was published around us (a plain Redis `PUBLISH`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The node that took it from its publisher.
    pub node: Incarnation,
    /// The session that published it; `None` for the HTTP API.
    pub session: Option<SessionId>,
    /// Counts the node's publications in the order they were handed to the broker, from 1. Per channel it
    /// only ever rises; one that does not was repeated or reordered.
    pub sequence: u64,
}
