//! The node's face: listeners, the WebSocket upgrade, the HTTP API, health, the built-in page.
//!
//! The way of a connection, and the room for each step:
//!
//! - [`server`]: listeners, and one HTTP connection after another
//! - [`routes`]: which path is whose, on which listener
//! - [`path`]: which channel a path means, and which first segments are kept
//! - [`relay`]: the upgrade of the plain WebSocket, answered once the broker confirmed
//! - [`upgrade`]: takes the bare socket back from HTTP
//! - [`connection`]: one small task that only reads
//! - [`socket`], [`framing`]: where a session's bytes go, and how its messages are framed
//!
//! Beside it: [`api`] (publish, cluster), [`health`], [`page`], [`ending`] (what is answered while the node ends), [`refusal`] (what is answered to whom is not let
//! in) and [`gateway`] (what all of them share).

pub mod api;
pub mod connection;
pub mod ending;
pub mod framing;
pub mod gateway;
pub mod health;
pub mod page;
pub mod path;
pub mod refusal;
pub mod relay;
pub mod routes;
pub mod server;
pub mod socket;
pub mod upgrade;

pub use gateway::{ClientAuth, Config, Gateway, RelayEndpoint};
pub use routes::Serves;
pub use server::{Listener, Server, bind};
