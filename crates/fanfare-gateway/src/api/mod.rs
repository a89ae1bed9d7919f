//! The HTTP API.
//!
//! - [`publish`]: `POST /api/publish`; [`cluster`]: `GET /api/cluster`
//! - [`access`]: which calls have a key; [`error`]: why a call was not carried out
//! - [`cors`]: which pages may call

pub(crate) mod access;
pub(crate) mod cluster;
pub(crate) mod cors;
pub(crate) mod error;
pub(crate) mod publish;
