//! Real parts for tests: nodes, clusters, redis-server, clients, a proxy that cuts and delays.
//!
//! - [`setup`]: a configuration, read as `fanfare serve` reads it
//! - [`node`]: a node in this process; [`process`]: the real binary, for signals
//! - [`cluster`]: a redis-server and nodes on it; [`fleet`]: nodes as processes; [`acl`]: a user in Redis
//! - [`endpoint`]: the address of a node, and all requests to it
//! - [`metrics`]: the metrics of a node
//! - [`client`]: a WebSocket client that knows nothing of Fanfare; [`events`]: one of Server-Sent Events; [`raw`]: HTTP and frames byte by byte
//! - [`backlog`]: a client that does not read
//! - [`authority`]: certificates, and clients that trust them; [`token`]: tokens
//! - [`balancer`]: HAProxy in front of nodes; [`nginx`]: nginx in front of nodes; [`prometheus`]: scrapes them
//! - [`client_group`]: hundreds of clients that publish while a part fails, and a judge
//! - [`chaos`]: a cluster under faults that a seed decides, for the checker of `swarm verify --history`
//! - [`observer`]: a subscriber in Redis itself; [`backend`]: an operator's backend
//! - [`proxy`]: stands in front of Redis, and cuts, stalls and delays
//! - [`timeouts`]: waiting with a timeout
//!
//! Invariant: no helper asserts how long something takes; [`TIMEOUT`] only ends a test that would wait for ever. A helper
//! that fails panics, and says what it waited for or what was wrong.

#![expect(clippy::panic, reason = "a helper of tests says by a panic what is wrong")]

pub mod acl;
pub mod authority;
pub mod backend;
pub mod backlog;
pub mod balancer;
pub mod chaos;
pub mod client;
pub mod client_group;
pub mod cluster;
pub mod endpoint;
pub mod events;
pub mod fleet;
pub mod metrics;
pub mod nginx;
pub mod node;
pub mod observer;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod raw;
pub mod setup;
pub mod stream;
pub mod timeouts;
pub mod token;

pub use authority::{Authority, Issued, Validity};
pub use backend::Backend;
pub use balancer::Balancer;
pub use client::Client;
pub use client_group::ClientGroup;
pub use cluster::{TestCluster, redis_server};
pub use endpoint::{Endpoint, KEY};
pub use fanfare_broker_suite::RedisServer;
pub use fleet::Fleet;
pub use metrics::Metrics;
pub use nginx::Nginx;
pub use node::TestNode;
pub use observer::Observer;
pub use process::Process;
pub use prometheus::Prometheus;
pub use proxy::{Direction, Proxy};
pub use raw::{Answer, Frame, RawClient};
pub use setup::Setup;
pub use timeouts::{TIMEOUT, Timeout, within};
pub use tokio_tungstenite::tungstenite::Message;
