//! The way in: the connection that is subscribed.
//!
//! - `request`: what the node and the publisher ask for
//! - `task`: owns the connection; `answers`: takes the frames that come on it
//! - `table`: the channels that this node is subscribed to, and the commands that make Redis follow
//! - `incoming`: a message, from the socket to the node
//! - `origin_check`: whether the claims of an envelope are believed

mod answers;
pub(super) mod incoming;
pub(super) mod origin_check;
pub(super) mod request;
pub(super) mod table;
pub(super) mod task;
