//! A session's place in a channel, as its client is told.

use fanfare_core::{Channel, Position};

/// A session's place in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// The channel. Keep this one, not a copy for each connection: all its subscribers share one string.
    pub channel: Channel,
    /// The session gets every publication behind this position; `None` in a channel without history, and where the
    /// session has ended.
    pub position: Option<Position>,
}
