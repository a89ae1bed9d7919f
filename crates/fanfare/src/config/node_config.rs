//! The values that a node runs with.

use std::time::Duration;

use fanfare_auth::{ApiKeys, OriginPolicy};
use fanfare_broker::BrokerConfig;
use fanfare_core::{Heartbeat, Limits, Namespaces};
use fanfare_gateway::{AdmissionLimits, Proxies, Role, tls::Terms};

use super::{
    auth::Auth,
    hooks::{EventConfig, HookConfig},
    log::Log,
    tracing::Tracing,
    words::Listen,
};
use crate::ask::Target;

/// The values that a node runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen, one entry a role: clients have an address at least. A role without addresses of its own is
    /// served at those for clients.
    pub listeners: Vec<ListenerConfig>,
    /// Whether it is for development on this machine; all listeners are loopback then.
    pub dev: bool,
    /// The broker that carries messages between nodes, with its names in Redis.
    pub broker: BrokerConfig,
    /// The node's name, for people.
    pub node: String,
    /// The URL of the metrics, for other nodes; without it, a guess is made.
    pub advertise: Option<Target>,
    /// The keys of the HTTP API; under `dev` none is needed.
    pub api_keys: ApiKeys,
    /// How clients show who they are; without it every token is refused, and no namespace asks for one.
    pub auth: Option<Auth>,
    /// The web pages that may connect.
    pub origins: OriginPolicy,
    /// Limits on connections and requests.
    pub admission: AdmissionLimits,
    /// The proxies that tell a client's address.
    pub proxies: Proxies,
    /// Whether a browser that is refused is told why in a close frame.
    pub browser_errors: bool,
    /// Whether permessage-deflate is offered.
    pub deflate: bool,
    /// How the relay's sessions are kept alive.
    pub relay: Heartbeat,
    /// Limits of sessions and queues.
    pub limits: Limits,
    /// How the node ends.
    pub drain: Drain,
    /// Threads and shards.
    pub runtime: Runtime,
    /// The log.
    pub log: Log,
    /// Traces; `None`: nothing is traced.
    pub tracing: Option<Tracing>,
    /// The backend that is asked about clients; `None`: none is.
    pub hooks: Option<HookConfig>,
    /// The backend that is told what clients do; `None`: none is.
    pub events: Option<EventConfig>,
    /// The headers of handshakes that the backend gets, in lower case.
    pub hook_headers: Vec<String>,
    /// Options of channels.
    pub namespaces: Namespaces,
}

impl Config {
    /// The addresses for a role, and whether they speak TLS.
    #[must_use]
    pub fn addresses(&self, role: Role) -> (&[Listen], bool) {
        let found = self.listeners.iter().find(|listener| listener.role == role);
        found.map_or((&[], false), |listener| (&listener.addresses, listener.tls.is_some()))
    }
}

/// Where a node listens for one role.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// The role of the addresses.
    pub role: Role,
    /// The addresses.
    pub addresses: Vec<Listen>,
    /// The TLS that they speak, if any.
    pub tls: Option<Terms>,
}

/// How a node ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// The number of sessions that are closed in a second, at least.
    pub rate: u32,
    /// How long the node goes on, though it is not ready: less than `timeout`.
    pub grace: Duration,
    /// The most time that the end takes.
    pub timeout: Duration,
}

/// How the work is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runtime {
    /// Worker threads of tokio: at least 1.
    pub workers: usize,
    /// Shards of the hub: at least 1.
    pub shards: usize,
}
