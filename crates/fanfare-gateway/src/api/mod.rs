//! The HTTP API.
//!
//! - [`call`]: the one way from a request to its answer; [`methods`]: a file for each method
//! - [`access`]: the key of a call; [`body`]: the body of a call; [`error`]: why a call was not carried out
//! - [`data`]: payloads in JSON; [`number`]: numbers in JSON; [`reading`]: parts of histories;
//!   [`present`]: the clients in a channel; [`unsupported`]: fields of Centrifugo's API that this one does not have
//! - [`client_history`]: `GET /api/history`; [`client_presence`]: `GET /api/presence`;
//!   [`client_publish`]: `POST /publish/{channel}`; [`cluster`]: `GET /api/cluster`
//! - [`openapi`]: `GET /api/openapi.json`, of [`document`], [`schema`] and [`streams`]
//! - [`cors`]: the pages that may call

pub(crate) mod access;
mod body;
mod call;
pub(crate) mod client_history;
mod client_presence;
pub(crate) mod client_publish;
pub(crate) mod cluster;
pub(crate) mod cors;
mod data;
mod document;
pub(crate) mod error;
pub(crate) mod methods;
mod number;
pub(crate) mod openapi;
mod present;
mod reading;
mod schema;
mod streams;
#[cfg(test)]
pub(crate) mod testing;
mod unsupported;
