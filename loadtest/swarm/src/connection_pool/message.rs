//! The lines that parent and child exchange, as JSON.

use serde::{Deserialize, Serialize};

use crate::clock::Moment;

/// The work of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A part of [`rooms`](crate::rooms).
    Rooms,
    /// A part of [`idle`](crate::idle).
    Idle,
    /// A part of [`storm`](crate::storm).
    Storm,
}

/// A message from a child to its parent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum FromChild<P> {
    /// The child is connected, and waits for the start.
    Ready,
    /// The progress since the last message of this kind.
    Progress(Progress),
    /// The child's result. Its connections stay open.
    Done(P),
    /// The child cannot go on.
    Failed(String),
}

/// The progress of a child since its last message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Messages sent.
    pub sent: u64,
    /// Messages received, or connections opened.
    pub received: u64,
}

/// The parent's message after the share: when the measured part begins.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) at: Moment,
}
