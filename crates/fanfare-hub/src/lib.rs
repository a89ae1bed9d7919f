//! Sessions, channels, shards and fan-out: what happens between a decoded command and the bytes on a socket.
//!
//! The hub knows no dialect and no transport by name. It depends on `fanfare-core` alone and is driven through
//! its traits.
//!
//! The way of a message, and the room for each step:
//!
//! - [`hub`]: the sessions of a node, and how they begin
//! - `commands`: what they ask for is carried out
//! - `holds`: which channels they hold
//! - [`flow`], `room`: how many publications of a session, and of the node, may be unanswered before its reader waits
//! - [`incomplete`]: messages that came in part, and since when
//! - [`dispatcher`]: takes publications from the broker and hands each to the shards that have subscribers
//! - `gather`: wakes a shard once for all that one read brings
//! - [`shard`]: a part of the sessions, and the queue of what came in for them
//! - [`tick`]: gathers what came in, and writes it out once per session
//! - [`batch`]: what one tick has for one channel, encoded once per encoding in use
//! - `traced`: spans of publishes and fan-outs
//! - [`heartbeat`]: which clients are asked for a sign of life, and which are given up
//! - [`pulse`]: whether all of this goes on
//! - `goodbye`: how a session ends, and what it is still owed
//! - [`drain`]: many sessions are ended at a pace, not all at once
//! - [`interruption`]: which sessions are closed because they may have missed something
//! - [`outbound`], [`link`], `outgoing`: the bytes of one session, in order, whoever writes them
//! - [`tally`], [`through`], [`connections`], `story`: what is counted of them, and what is said of one that is over
//! - [`queue`], [`budget`]: what of them waits, how much may, and what is dropped
//! - [`slow`]: who does not read fast enough, and what becomes of them
//! - `reload`: limits and namespaces that change meanwhile
//!
//! Beside it: [`session`] (what the hub holds of a client), [`cluster`] (which nodes there are),
//! `namesakes` (which of them have this one's name) and [`metrics`].

pub mod batch;
pub mod budget;
pub mod cluster;
mod commands;
pub mod connections;
pub mod dispatcher;
pub mod drain;
pub mod flow;
mod gather;
mod goodbye;
pub mod heartbeat;
mod holds;
pub mod hub;
pub mod incomplete;
pub mod interruption;
pub mod link;
pub mod metrics;
mod namesakes;
pub mod outbound;
mod outgoing;
pub mod pulse;
pub mod queue;
mod reload;
mod room;
pub mod session;
pub mod shard;
pub mod slow;
mod story;
pub mod tally;
pub mod through;
pub mod tick;
mod traced;

pub use budget::Budget;
pub use cluster::Cluster;
pub use dispatcher::Dispatcher;
pub use drain::Pace;
pub use hub::Hub;
pub use incomplete::Held;
pub use metrics::HubMetrics;
pub use pulse::Standstill;
pub use session::{Kind, Session, Visitor};
pub use tally::Traffic;
