//! The node's face: listeners, the WebSocket upgrade, the HTTP API, health, the built-in page.
//!
//! The way of a connection, and the room for each step:
//!
//! - [`server`]: listeners, and one connection after another
//! - [`visit`]: the HTTP requests of one connection
//! - [`routes`]: which path is whose
//! - [`path`]: which channel a path means, and which first segments are kept
//! - [`relay`]: the upgrade of the plain WebSocket, answered once the broker confirmed
//! - [`upgrade`]: takes the bare socket back from HTTP
//! - [`connection`]: one small task that only reads
//! - `lent`, `farewell`: the socket comes back from an HTTP that failed, and the client is told why
//! - `rates`: what a client may send in a second, where that is limited
//! - [`socket`], [`framing`]: where a session's bytes go, and how its messages are framed
//!
//! Beside it: [`api`] (publish, cluster), [`health`], [`page`], [`refusal`] (what is answered to whom is not let
//! in), [`metrics`] and [`gateway`] (what all of them share).

pub mod api;
pub mod connection;
mod farewell;
pub mod framing;
pub mod gateway;
pub mod health;
mod lent;
pub mod metrics;
pub mod page;
pub mod path;
mod rates;
pub mod refusal;
pub mod relay;
pub mod routes;
pub mod server;
pub mod socket;
pub mod upgrade;
pub mod visit;

pub use gateway::{ClientAuth, Config, Gateway, RelayEndpoint};
pub use metrics::GatewayMetrics;
pub use server::{Server, bind};
