//! The node's face: listeners, the WebSocket upgrade, the HTTP API, health, the built-in page.
//!
//! The way of a connection, and the room for each step:
//!
//! - `server`: accepts one connection after another
//! - `listener/`: sockets that listen, the descriptor budget, the client's address, admission
//! - [`tls`]: what a listener speaks below HTTP
//! - `http/`: a connection from its first byte on, its requests, its deadlines and its end
//! - `routes/`: which path is whose on which listener; the page, health
//! - `websocket/`: the upgrade, and the task that reads a session's socket
//! - `api/`: publish, the nodes of the cluster, and the pages that may call
//!
//! Shared by them: `gateway` (the node), `roles` (what listeners are for), `path` (which channel a path means),
//! `metrics`, `trace` (spans of requests), `snapshot` and `state_history` (this node's figures and states).

mod api;
mod gateway;
mod http;
mod listener;
mod metrics;
mod path;
mod roles;
mod routes;
mod server;
mod snapshot;
mod state_history;
pub mod tls;
mod trace;
mod websocket;

pub use api::cluster::NodeView;
pub use gateway::{ClientAuth, Config, Gateway, RelayEndpoint};
pub use listener::{
    admission::AdmissionLimits,
    bind::bind,
    client_address::{Proxies, ProxyProtocol},
    descriptors::connections_for,
};
pub use metrics::GatewayMetrics;
pub use roles::{Role, Roles};
pub use routes::health::{Check, Health};
pub use server::{Listener, Server};
