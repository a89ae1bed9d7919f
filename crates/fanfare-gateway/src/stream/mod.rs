//! Streamed answers: a session on the body of an answer, whose client sends by requests of their own, or only listens.
//!
//! - [`sse`], [`http_stream`]: the endpoints of streams; [`emulation`]: the endpoint of what their clients send
//! - `door`: the methods and the pages that these endpoints take, and the bodies of their requests
//! - `open`: from a request to a session on the body of its answer
//! - `body`: that body; `framing`: how messages become parts of it

mod body;
mod door;
pub(crate) mod emulation;
mod framing;
pub(crate) mod http_stream;
mod open;
pub(crate) mod sse;
