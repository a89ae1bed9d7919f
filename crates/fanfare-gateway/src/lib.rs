//! The HTTP side of a node: listeners, the WebSocket upgrade, the HTTP API, health, the built-in page.
//!
//! Each room needs only those above it:
//!
//! - `listener/`: sockets that listen, the descriptor budget, the client's address, admission
//! - [`tls`]: TLS below HTTP
//! - `http/`: a connection from its first byte on, its requests, its deadlines and its end
//! - `websocket/`: the upgrade, and the task that reads a session's socket
//! - `stream/`: sessions on the bodies of answers, and the requests that feed them
//! - `plain/`: streams and polls of channels that a request names
//! - `api/`: the methods for backends, the nodes of the cluster, and the pages that may call
//! - `routes/`: the endpoints of each listener; the page, health
//! - `server`: accepts connections
//!
//! Shared by them: `gateway` (the state of the node), `roles` (of listeners), `path` (the channel of a path), `rights` (of
//! clients without a session), `metrics`, `trace` (spans of requests), `snapshot` and `state_history` (this node's
//! figures and states).

mod api;
mod gateway;
mod http;
mod listener;
mod metrics;
mod path;
mod plain;
mod rights;
mod roles;
mod routes;
mod server;
mod servers;
mod snapshot;
mod state_history;
mod stream;
pub mod tls;
mod trace;
mod websocket;

pub use api::cluster::NodeView;
pub use gateway::{
    ClientAuth, CommandedEndpoint, Config, Emulated, Encoding, Gateway, OverHttp, PlainEndpoints,
    RelayEndpoint, UnidirectionalEndpoint,
};
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
