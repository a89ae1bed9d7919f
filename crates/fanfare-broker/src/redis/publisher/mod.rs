//! The way out: the connection that publishes.
//!
//! - `task`: owns the connection
//! - `fence`: keeps commands of an old connection from running after those of a new one
//! - `outgoing`: what is to be published; `writer`: how it is written
//! - `pipeline`: what waits, what was written, and what becomes of it; `under_way`: one that was written

mod fence;
pub(super) mod outgoing;
pub(super) mod pipeline;
pub(super) mod task;
mod under_way;
pub(super) mod writer;
