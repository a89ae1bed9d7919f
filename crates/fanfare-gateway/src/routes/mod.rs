//! What each path means on each listener.
//!
//! - [`router`]: which path is whose, and which methods it takes
//! - [`page`]: the built-in page; [`health`]: `/healthz`, `/readyz`, `/metrics`
//! - [`ending`]: what is answered while the node ends

mod ending;
pub(crate) mod health;
mod page;
pub(crate) mod router;
