//! The node's face: listeners, the WebSocket upgrade, the HTTP API, health, the built-in page.
//!
//! The way of a connection, and the room for each step:
//!
//! - [`server`]: listeners, and one connection after another
//! - [`sockets`]: which sockets there are, and which go when descriptors are short
//! - [`arrival`], [`client`]: a socket before HTTP, and whose it is behind proxies
//! - [`tls`], `stream`: what the listener speaks below HTTP
//! - [`visit`]: one connection from its first byte on
//! - `requests`, [`proper`], `body`: its HTTP requests, what each must be, and what it brings
//! - `pace`, `paced`: how long a client may take for each step, and how the connection ends
//! - [`routes`]: which path is whose, on which listener
//! - [`path`]: which channel a path means, and which first segments are kept
//! - `refused`: who was refused, for the metrics and the log
//! - [`relay`]: the upgrade of the plain WebSocket, answered once the broker confirmed
//! - [`admission`]: how many connections are let in
//! - [`upgrade`]: takes the bare socket back from HTTP
//! - [`connection`]: one small task that only reads
//! - `rates`: what a client may send in a second, where that is limited
//! - [`socket`], [`framing`]: where a session's bytes go, and how its messages are framed
//!
//! Beside it: [`api`] and `publish`, `cors` (pages of other origins that call it), [`cluster`] and [`figures`] (the nodes, and this one at a glance), [`health`],
//! [`page`], [`refusal`] (what is answered to whom is not let in), [`ending`] (what is answered while the node ends),
//! `trace` (spans of requests), [`metrics`] and [`gateway`] (what all of them share).

pub mod admission;
pub mod api;
pub mod arrival;
mod body;
pub mod client;
pub mod cluster;
pub mod connection;
mod cors;
pub mod ending;
pub mod figures;
pub mod framing;
pub mod gateway;
pub mod health;
pub mod metrics;
mod pace;
mod paced;
pub mod page;
pub mod path;
pub mod proper;
mod publish;
mod rates;
pub mod refusal;
mod refused;
pub mod relay;
mod requests;
pub mod routes;
pub mod server;
pub mod socket;
pub mod sockets;
mod stream;
pub mod tls;
mod trace;
pub mod upgrade;
pub mod visit;

pub use admission::DoorLimits;
pub use client::{Proxies, ProxyProtocol};
pub use gateway::{ClientAuth, Config, Gateway, RelayEndpoint};
pub use metrics::GatewayMetrics;
pub use routes::Serves;
pub use server::{Listener, Server, bind};
