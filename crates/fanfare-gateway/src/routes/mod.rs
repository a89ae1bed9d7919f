//! What each path means on each listener.
//!
//! - [`endpoints`]: every endpoint, once; [`router`]: a listener's paths, made of them
//! - [`page`]: the built-in page; [`health`]: `/healthz`, `/readyz`, `/metrics`
//! - [`ending`]: what is answered while the node ends

mod ending;
mod endpoints;
pub(crate) mod health;
mod page;
pub(crate) mod router;
