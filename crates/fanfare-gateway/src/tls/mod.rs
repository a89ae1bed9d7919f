//! TLS on the node's own listeners.
//!
//! - [`terms`]: the certificate of a listener and the authority of its clients, and their replacement while it listens
//! - `records`: rustls without I/O and without its buffers
//! - `handshake`: from an accepted socket to a connection that speaks HTTP inside TLS
//! - `fragment`: the bytes of the next record, of a write in several slices
//! - `socket`: the socket of such a connection: HTTP or a session's reader reads it, any task writes to it
//!
//! An idle connection has no buffer. Records are read into, and encrypted in, memory that all connections of a thread
//! share. Only a record that is not whole, and bytes that the kernel did not take, are kept.

mod fragment;
pub(crate) mod handshake;
mod records;
pub(crate) mod socket;
pub mod terms;

pub use terms::{Acceptor, Expiry, Terms, TermsError};
