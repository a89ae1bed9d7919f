//! One connection to Redis.
//!
//! - [`address`]: the URL, and what it says
//! - `stream`, [`tls`]: the socket, and TLS on it
//! - `resp`: what comes on it
//! - `info`: what CLIENT INFO answers
//! - `open`: connected, authenticated, and speaking RESP3
//! - `error`: why there is no connection; `code`: what an error of Redis means, and what to do about it
//! - `links`: what is known of the node's two connections

pub(crate) mod address;
pub(super) mod code;
pub(super) mod error;
pub(super) mod info;
pub(super) mod links;
pub(super) mod open;
pub(super) mod resp;
pub(super) mod stream;
pub(crate) mod tls;
