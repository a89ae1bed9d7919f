//! The endpoints of each listener.
//!
//! - [`endpoints`]: every endpoint, once; [`router`]: the paths of a listener
//! - [`page`]: the built-in page; [`health`]: `/healthz`, `/readyz`, `/metrics`
//! - [`ending`]: answers while the node ends

mod ending;
mod endpoints;
pub(crate) mod health;
mod page;
pub(crate) mod router;
