//! Where a publication stands in the history of its channel.

use std::fmt;

/// One life of a channel's history. A history that was lost, or that went back in time, goes on under another epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

/// The place of a publication in the history of its channel.
///
/// # Guarantees
/// - The publications of one channel and one epoch have the offsets 1, 2, 3 and so on, in the order in which the broker
///   accepted them. No offset is given twice.
/// - Positions of two epochs, or of two channels, say nothing of one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The life of the history.
    pub epoch: Epoch,
    /// The place in it, counted from 1.
    pub offset: u64,
}

/// The answer to a publish that the broker took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Its position; `None` on a channel without history.
    pub position: Option<Position>,
    /// Whether the broker had taken the same publish before: then it delivered nothing now, and the position is that of
    /// the first.
    pub duplicate: bool,
}
