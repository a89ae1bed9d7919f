//! TLS on the node's own listeners.
//!
//! - [`terms`]: what a listener shows its clients and asks of them, and how that is replaced while it listens
//! - `records`: rustls without I/O and without buffers that are not needed
//! - `handshake`: from an accepted socket to a connection that speaks HTTP inside TLS
//! - `socket`: the socket of such a connection, read by HTTP or a session's reader and written to by whoever has some
//!
//! An idle connection has no buffer: records are read into and encrypted in memory that all connections of a thread
//! share, and only what is not whole, or what the kernel did not take, is kept.

pub(crate) mod handshake;
mod records;
pub(crate) mod socket;
pub mod terms;

pub use terms::{Acceptor, Expiry, Terms, TermsError};
