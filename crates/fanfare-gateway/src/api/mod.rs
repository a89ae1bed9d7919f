//! The HTTP API.
//!
//! - [`publish`]: `POST /api/publish`; [`cluster`]: `GET /api/cluster`
//! - [`access`]: the key of a call; [`error`]: why a call was not carried out
//! - [`cors`]: the pages that may call

pub(crate) mod access;
pub(crate) mod cluster;
pub(crate) mod cors;
pub(crate) mod error;
pub(crate) mod publish;
