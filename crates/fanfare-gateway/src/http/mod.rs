//! An HTTP connection, from its first byte until it ends or becomes a WebSocket.
//!
//! - [`connection`]: whose connection it is, TLS, and then its requests
//! - [`requests`]: its requests, one after the other (HTTP/1.1); [`multiplexed`]: many at a time (HTTP/2)
//! - [`answering`]: the answer to each; [`request_check`]: what each must be; [`body`]: what it brings; [`taken`]: the
//!   same as a whole, for handlers
//! - [`deadlines`]: how long a client may take for each step
//! - [`timed_socket`]: the bytes, measured against the deadlines, and how the connection ends; [`stream`]: bare or TLS
//! - [`upgraded`]: the way back to the socket after an upgrade
//! - [`endpoint`]: what a listener answers at some paths; [`query`]: the parameters of an address
//! - [`refusal`]: the answer to a request that is refused; [`refused`]: what metrics and the log are told of it;
//!   [`past_error`]: why the past is refused; [`stream_error`]: why a request of a stream is
//! - [`streamed`]: answers whose body goes on until a session ends; [`long_answer`]: their way to the client with HTTP/1

pub(crate) mod answering;
mod body;
pub(crate) mod connection;
mod deadlines;
pub(crate) mod endpoint;
mod long_answer;
mod multiplexed;
pub(crate) mod past_error;
pub(crate) mod query;
pub(crate) mod refusal;
pub(crate) mod refused;
mod request_check;
mod requests;
pub(crate) mod stream;
pub(crate) mod stream_error;
pub(crate) mod streamed;
pub(crate) mod taken;
mod timed_socket;
pub(crate) mod upgraded;
