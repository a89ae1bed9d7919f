//! Publications on their way from the broker to the sessions.
//!
//! - [`dispatcher`]: takes publications from the broker, and hands each to the shards that have subscribers
//! - `route`: the shards that the publications of one channel go to
//! - `gather`: the shards, each woken once for all publications of one read
//! - [`shard`]: a part of the sessions, and the queue of their publications; `progress`: the steps of its tasks
//! - [`membership`]: a session's place in a channel; `wishes`: members with `filters`, and the `bases` of those that get
//!   differences, both `by_member`; `filtering`: the publications that pass filters
//! - [`tick`]: takes the queue of a shard, and writes it out once per session
//! - [`batch`]: the publications of one channel in one tick, encoded once per encoding in use
//! - `tails`: the newest publications of channels with history; losses are healed here; [`part`]: reads a part of a history
//! - `gate`: bounds of the bytes that wait
//! - `traced`: spans of publishes and fan-outs
//! - `losses`: publications that may have been missed

pub(crate) mod bases;
pub mod batch;
mod by_member;
pub mod dispatcher;
mod filtering;
pub(crate) mod filters;
pub(crate) mod gate;
pub(crate) mod gather;
pub(crate) mod losses;
pub mod membership;
pub mod part;
pub(crate) mod progress;
mod route;
pub mod shard;
pub(crate) mod tails;
pub mod tick;
pub(crate) mod traced;
pub(crate) mod wishes;
