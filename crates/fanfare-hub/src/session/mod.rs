//! A client's session: what the hub holds of it, what it asks for, and what is sent to it.
//!
//! - [`state`]: the session itself
//! - `commands`: what a client and the operator ask for
//! - `interest`: the channels that the sessions of this node subscribe to, asked of the broker once
//! - [`flow`], `publish_budget`: the publishes of a session, and of the node, that have no answer yet
//! - [`incomplete`]: bytes of a client that cannot be processed yet
//! - [`outbound`], [`link`], `outgoing`, [`queue`]: the bytes to a client, in order
//! - [`traffic`]: the messages and bytes of one session
//! - `access_log`: the log line of a session that has ended

pub(crate) mod access_log;
pub(crate) mod commands;
pub mod flow;
pub mod incomplete;
pub(crate) mod interest;
pub mod link;
pub mod outbound;
pub(crate) mod outgoing;
pub(crate) mod publish_budget;
pub mod queue;
pub mod state;
pub mod traffic;
