//! Real parts for tests: nodes, clusters, redis-server, clients, a proxy that cuts and delays.
//!
//! - [`setup`]: a configuration, read as `fanfare serve` reads it
//! - [`node`]: a node in this process; [`process`]: the real binary, for signals
//! - [`cluster`]: a redis-server and nodes on it; [`fleet`]: nodes as processes
//! - [`endpoint`]: what can be asked of a node, whichever it is
//! - [`metrics`]: what a node counts
//! - [`client`]: a WebSocket client that knows nothing of Fanfare; [`raw`]: HTTP and frames byte by byte
//! - [`authority`]: certificates, and clients that trust them
//! - [`balancer`]: HAProxy before nodes; [`nginx`]: nginx before nodes; [`prometheus`]: scrapes them
//! - [`chorus`]: hundreds of clients that publish while something fails, and the judgement of it
//! - [`observer`]: sees what Redis was told to publish
//! - [`proxy`]: stands before Redis, and cuts, stalls and delays
//! - [`patience`]: waiting for what must come
//!
//! Invariant: no helper asserts how long something takes; [`PATIENCE`] only ends a test that would wait for ever.
//! Every helper that fails says by a panic what it waited for, or what was wrong.

#![expect(clippy::panic, reason = "a helper of tests says by a panic what is wrong")]

pub mod authority;
pub mod balancer;
pub mod chorus;
pub mod client;
pub mod cluster;
pub mod endpoint;
pub mod fleet;
pub mod metrics;
pub mod nginx;
pub mod node;
pub mod observer;
pub mod patience;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod raw;
pub mod setup;

pub use authority::{Authority, Good, Issued};
pub use balancer::Balancer;
pub use chorus::Chorus;
pub use client::Client;
pub use cluster::{TestCluster, redis_server};
pub use endpoint::Endpoint;
pub use fanfare_broker_suite::RedisServer;
pub use fleet::Fleet;
pub use metrics::Metrics;
pub use nginx::Nginx;
pub use node::TestNode;
pub use observer::Observer;
pub use patience::{PATIENCE, Patience, within};
pub use process::Process;
pub use prometheus::Prometheus;
pub use proxy::{Direction, Proxy};
pub use raw::{Answer, Frame, RawClient};
pub use setup::{KEY, Setup};
pub use tokio_tungstenite::tungstenite::Message;
