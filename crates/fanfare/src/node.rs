//! The composition root: makes every part of a node, gives each what it needs, and ends them in order.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use fanfare_broker::{BrokerConfig, Started, driver};
use fanfare_core::{Disconnect, Incarnation, NodeInfo};
use fanfare_gateway::{ClientAuth, Gateway, RelayEndpoint, Server};
use fanfare_hub::{Cluster, Dispatcher, Hub, HubMetrics, Kind, Pace};
use fanfare_protocol::{RelayDecoder, dialect};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::config::{Auth, Config, Listen};

/// The newest envelope that this build reads; what the others learn of it through the registry.
const ENVELOPE: u8 = fanfare_broker::envelope::VERSION;

/// How fast clients are closed that may have missed something.
const CLOSING: Pace = Pace { per_second: 200, within: Duration::from_secs(30) };

/// A node at work.
pub struct Node {
    addresses: Vec<SocketAddr>,
    gateway: Arc<Gateway>,
    hub: Arc<Hub>,
    server: Server,
    broker: Started,
    cluster: JoinHandle<()>,
    /// Ends the listeners.
    closing: CancellationToken,
    /// Takes this node out of the registry.
    leaving: CancellationToken,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}{}", hint(.error))]
    Bind {
        /// Which.
        address: SocketAddr,
        /// The kernel's reason.
        error: io::Error,
    },
    /// None of `localhost`'s addresses is there.
    #[error("this machine has no address of that kind to listen on: {0}")]
    NoAddress(String),
    /// The broker's parts cannot be made.
    #[error(transparent)]
    Broker(#[from] driver::StartError),
    /// Two metrics of one name: a mistake of this program's.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

impl Node {
    /// Starts a node on the current runtime. It listens when this returns; its broker may still be on the way.
    ///
    /// # Errors
    /// It cannot start, and why.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let listeners = listen(&config.listen)?;
        let addresses = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let incarnation = Incarnation(rand::random());
        let metrics = prometheus::Registry::new();
        let hub_metrics = Arc::new(HubMetrics::register(&metrics)?);
        let namespaces = Arc::new(config.namespaces);
        let (dispatcher, controls) = Dispatcher::new(
            incarnation,
            config.runtime.shards,
            namespaces.clone(),
            &config.limits,
            hub_metrics.clone(),
        );
        let dispatcher = Arc::new(dispatcher);
        let broker_name = name_of(&config.broker);
        let node = driver::Node { incarnation, limits: config.limits.clone() };
        let broker = driver::start(&node, config.broker, dispatcher.clone(), &metrics)?;
        let hub =
            Hub::start(dispatcher, broker.broker.clone(), namespaces, config.limits, hub_metrics.clone());
        tokio::spawn(hub.clone().close_after_losses(CLOSING));
        let me = NodeInfo {
            incarnation: incarnation.to_string(),
            name: config.node,
            version: env!("CARGO_PKG_VERSION").into(),
            connections: 0,
            envelope: ENVELOPE,
        };
        let registry = broker.registry.clone();
        let cluster = Arc::new(Cluster::new(me, registry, broker.broker.clone(), hub_metrics));
        let (closing, leaving) = (CancellationToken::new(), CancellationToken::new());
        let gateway = fanfare_gateway::Config {
            origins: config.origins,
            api_keys: config.api_keys,
            auth: config.auth.map(|Auth { tokens, source }| ClientAuth { tokens, source }),
            deflate: config.deflate,
            relay: RelayEndpoint {
                kind: Arc::new(Kind { dialect: &dialect::RELAY, heartbeat: config.relay }),
                decoder: |channel| Box::new(RelayDecoder::new(channel)),
            },
            broker: broker_name,
        };
        let gateway = Arc::new(Gateway::new(hub.clone(), cluster.clone(), metrics, gateway));
        let server = Server::new(gateway.clone(), closing.clone());
        for listener in listeners {
            server.listen(listener);
        }
        let left = leaving.clone();
        let cluster = tokio::spawn(async move { cluster.run(controls, left).await });
        Ok(Self { addresses, gateway, hub, server, broker, cluster, closing, leaving })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Ends it: no new clients, a goodbye to those it has, then the broker.
    pub async fn stop(self) {
        self.gateway.leave();
        self.closing.cancel();
        self.leaving.cancel();
        self.hub.end_all(&Disconnect::Restart).await;
        self.server.stopped().await;
        if let Err(error) = self.cluster.await {
            tracing::error!(%error, "the cluster view ended badly");
        }
        self.broker.stop().await;
    }
}

/// Binds all addresses. Of `localhost`, one that this machine has not is passed over.
fn listen(listen: &[Listen]) -> Result<Vec<TcpListener>, StartError> {
    let mut listeners = Vec::new();
    for listen in listen {
        let before = listeners.len();
        for address in listen.addresses() {
            match fanfare_gateway::bind(address) {
                Ok(listener) => listeners.push(listener),
                Err(error) if is_missing(*listen, &error) => {}
                Err(error) => return Err(StartError::Bind { address, error }),
            }
        }
        if listeners.len() == before {
            return Err(StartError::NoAddress(listen.to_string()));
        }
    }
    Ok(listeners)
}

fn is_missing(listen: Listen, error: &io::Error) -> bool {
    let is_choice = matches!(listen, Listen::Localhost(_));
    // EAFNOSUPPORT has no kind of its own.
    let has_no_family = error.raw_os_error() == Some(97);
    is_choice && (error.kind() == io::ErrorKind::AddrNotAvailable || has_no_family)
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another program listens there: end it, or choose a port with --listen",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need a permission: choose another with --listen"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
        _ => "",
    }
}

fn name_of(broker: &BrokerConfig) -> &'static str {
    match broker {
        BrokerConfig::Memory => "memory",
        BrokerConfig::Redis(_) => "redis",
    }
}
