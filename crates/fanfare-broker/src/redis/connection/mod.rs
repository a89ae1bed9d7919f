//! One connection to Redis.
//!
//! - [`address`]: the URL; [`place`]: the place that it names
//! - `stream`, [`tls`]: the socket, and TLS on it
//! - `resp`: the frames that Redis sends; `info`: the answer to CLIENT INFO
//! - `open`: a connection that is authenticated and speaks RESP3; `reach`: one to the Redis, wherever it is
//! - `error`: the reasons why a connection fails or ends; `code`: the meaning of a Redis error, and the remedy
//! - `finder`: finds the server of a place; `sentinel`: asks Sentinels where the master is
//! - `pool`: connections for commands that wait for an answer each; `commands`: these commands
//! - `links`: the state of the node's two connections

pub(crate) mod address;
pub(super) mod code;
pub(super) mod commands;
pub(super) mod error;
pub(super) mod finder;
pub(super) mod info;
pub(super) mod links;
pub(super) mod open;
pub(crate) mod place;
pub(super) mod pool;
pub(super) mod reach;
pub(super) mod resp;
pub(super) mod sentinel;
pub(super) mod stream;
pub(crate) mod tls;
