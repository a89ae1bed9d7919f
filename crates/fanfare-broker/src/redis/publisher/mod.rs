//! The way out: the connection that publishes.
//!
//! - `task`: owns the connection; `opening`: opens it; `waits`: the waits of the task
//! - `fence`: keeps commands of an old connection from running after those of a new one
//! - `outgoing`: a message that is to be published; `writer`, `command`: how it is written
//! - `script`: the script that publishes what is kept
//! - `course`: the way of items that a Cluster does not run
//! - `pipeline`: the messages that wait or were written, and their answers; `under_way`: one that was written;
//!   `replays`: those that are written again

mod command;
mod course;
mod fence;
mod opening;
pub(super) mod outgoing;
pub(super) mod pipeline;
mod replays;
pub(super) mod script;
pub(super) mod task;
mod under_way;
mod waits;
pub(super) mod writer;
