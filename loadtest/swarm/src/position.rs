//! Where a message stands in the history of its channel.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in the history of a channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The life of the history.
    pub epoch: String,
    /// The place in it, counted from 1; 0 is before the first publication.
    pub offset: u64,
}

/// As `?since=` takes it.
impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.epoch, self.offset)
    }
}
