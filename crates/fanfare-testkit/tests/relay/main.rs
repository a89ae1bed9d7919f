//! Messages of the plain WebSocket: who gets them, in which order, and clients that do not read.

#![expect(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

mod heartbeat;
mod join;
mod messages;
mod past;
mod slow;
