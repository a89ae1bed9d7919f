//! The newest publications of each channel with history that has a subscriber here, and the repair of losses.
//!
//! - [`tail`]: the state of one channel, without I/O; `kept`, `waiting`: its publications; `past`: what it serves
//! - `latest`: the publication to which the next one may be a difference
//! - [`shared`]: a tail behind its lock; `past_read`: the one read for all who recover beyond it
//! - [`table`]: all tails of the node, and the work on them
//! - `mutant`: deliberate faults of test builds
//! - `forgetting`: removes from the history, and here
//! - `reader`: reads histories; [`healer`]: carries out the work: opens, checks, heals and evicts

pub(crate) mod forgetting;
pub(crate) mod healer;
pub(crate) mod kept;
pub(crate) mod latest;
mod mutant;
pub(crate) mod past;
pub(crate) mod past_read;
pub(crate) mod reader;
pub(crate) mod shared;
pub(crate) mod table;
pub(crate) mod tail;
pub(crate) mod waiting;
