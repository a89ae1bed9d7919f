//! The HTTP API.
//!
//! - [`error`]: why a call was not carried out; [`key`]: which calls have a key
//! - [`publish`]: `POST /api/publish`; [`cluster`]: `GET /api/cluster`
//! - [`cors`]: which pages may call

pub(crate) mod cluster;
pub(crate) mod cors;
pub(crate) mod error;
pub(crate) mod publish;
