//! The composition root: makes all parts of a node and connects them. [`crate::drain`] ends them.

use std::{net::SocketAddr, sync::Arc};

use fanfare_auth::token::remote::RemoteKeys;
use fanfare_broker::{BrokerConfig, Started, driver};
use fanfare_core::{CriticalTasks, Hooks, Incarnation, NodeInfo};
use fanfare_gateway::{
    AdmissionLimits, ClientAuth, Gateway, GatewayMetrics, Listener, Role, Server, connections_for,
};
use fanfare_hub::{Cluster, Dispatcher, Hub, HubMetrics, Pace};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    advertise::Guess,
    bounds::Bounds,
    config::{Auth, Config, Drain, HookConfig},
    descriptors, dialects,
    events::{EventMetrics, Events},
    hooks::{HookMetrics, HttpHooks},
    jwks::{self, Jwks, JwksMetrics},
    listeners::{self, Inherited, ListenError},
    reload::metrics::ReloadMetrics,
    scrape,
    telemetry::{lines, rates},
    tls::Tls,
    traces::{SpanMetrics, Traces, TracingError},
};

/// The newest envelope version that this build reads. Other nodes learn it through the registry.
const ENVELOPE: u8 = fanfare_broker::envelope::VERSION;

/// A node at work.
pub struct Node {
    addresses: Addresses,
    pub(crate) drain: watch::Sender<Drain>,
    descriptors: usize,
    hook_metrics: HookMetrics,
    pub(crate) events: Events,
    /// The keys at `auth.jwks_url`, if it is set.
    remote_keys: Option<Arc<RemoteKeys>>,
    bounds: Bounds,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) server: Server,
    pub(crate) broker: Started,
    pub(crate) reloads: ReloadMetrics,
    pub(crate) tls: Tls,
    pub(crate) cluster: JoinHandle<()>,
    /// `None` without tracing.
    pub(crate) traces: Option<Traces>,
    /// The view of the cluster.
    critical_tasks: CriticalTasks,
    /// Ends the listeners.
    pub(crate) closing: CancellationToken,
    /// Takes this node out of the registry.
    pub(crate) leaving: CancellationToken,
}

/// The addresses that a node listens on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// For clients: at least one.
    pub clients: Vec<SocketAddr>,
    /// For the API.
    pub api: Vec<SocketAddr>,
    /// For metrics.
    pub metrics: Vec<SocketAddr>,
    /// All of these that were inherited.
    pub inherited: Vec<SocketAddr>,
    /// All of these that speak TLS.
    pub tls: Vec<SocketAddr>,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The node cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The broker cannot be made.
    #[error(transparent)]
    Broker(#[from] driver::StartError),
    /// Two metrics have the same name: a mistake of this program.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// The parts that make and send spans cannot be made.
    #[error(transparent)]
    Tracing(#[from] TracingError),
}

impl Node {
    /// Starts a node on the current runtime. The node listens when this returns; its broker may not be connected yet.
    ///
    /// # Errors
    /// The node cannot start.
    pub fn start(config: Config) -> Result<Self, StartError> {
        Self::start_on(config, Inherited::default())
    }

    /// As [`Node::start`], with inherited sockets for some of the addresses.
    ///
    /// # Errors
    /// The node cannot start.
    pub fn start_on(config: Config, inherited: Inherited) -> Result<Self, StartError> {
        let descriptors = descriptors::now();
        let metrics = prometheus::Registry::new();
        let tls = Tls::register(&metrics, &config)?;
        let listeners = listeners::open(&config, &tls, inherited)?;
        let addresses = Addresses::of(&listeners);
        let incarnation = Incarnation(rand::random());
        let jwks_metrics = JwksMetrics::register(&metrics)?;
        let jwks = config.auth.as_ref().and_then(|auth| Jwks::of(auth, jwks_metrics));
        let remote_keys = jwks.as_ref().map(|_| jwks::keys());
        let gateway = gateway_config(&config, descriptors, remote_keys.clone());
        let reloads = ReloadMetrics::register(&metrics)?;
        let bounds = Bounds::register(&metrics)?;
        bounds.set(&gateway.admission, &config.limits);
        let hub_metrics = hub_metrics(&metrics)?;
        let gateway_metrics = Arc::new(GatewayMetrics::register(&metrics, hub_metrics.limits_hit.clone())?);
        rates::register(&metrics)?;
        lines::register(&metrics)?;
        let hook_metrics = HookMetrics::register(&metrics)?;
        let event_metrics = EventMetrics::register(&metrics)?;
        let traces = traces(&config, &metrics)?;
        let tracer = traces.as_ref().map(Traces::tracer);
        let (dispatcher, controls) = Dispatcher::new(
            incarnation,
            config.runtime.shards,
            Arc::new(config.namespaces),
            &config.limits,
            hub_metrics.clone(),
        );
        let dispatcher = Arc::new(dispatcher);
        let guess = Guess::new(config.advertise, &addresses.metrics, &addresses.tls, &config.broker);
        scrape::register(&metrics, &dispatcher)?;
        let drain = watch::Sender::new(config.drain);
        let node = fanfare_broker::Node { incarnation, limits: config.limits.clone() };
        let broker = driver::start(&node, config.broker, dispatcher.clone(), &metrics)?;
        let (backend, limits) = (broker.backend.clone(), config.limits);
        let hub = Hub::start(dispatcher, backend, limits, hub_metrics.clone(), tracer);
        ask_by(&hub, config.hooks, &hook_metrics);
        let critical_tasks = CriticalTasks::default();
        tokio::spawn(critical_tasks.watch(hub.interruptions.clone().tell_sessions(pace(drain.subscribe()))));
        let me = NodeInfo::first(incarnation, &config.node, ENVELOPE);
        let registry = broker.registry.clone();
        let cluster = Cluster::new(me, registry, broker.backend.broker.clone(), hub_metrics);
        let cluster = Arc::new(cluster.with_calls(hub.calls.clone()).with_ghosts(hub.ghosts.clone()));
        let (closing, leaving) = (CancellationToken::new(), CancellationToken::new());
        let outbox = broker.backend.outbox.clone();
        let events = Events::start(outbox, event_metrics, leaving.clone(), &critical_tasks);
        events.tell(&hub, config.events);
        let gateway = Arc::new(Gateway::new(hub.clone(), cluster.clone(), metrics, gateway_metrics, gateway));
        let server = Server::new(gateway.clone(), closing.clone());
        for listener in listeners {
            server.listen(listener);
        }
        if let Some((jwks, keys)) = jwks.zip(remote_keys.clone()) {
            tokio::spawn(leaving.clone().run_until_cancelled_owned(jwks.keep(keys)));
        }
        tokio::spawn(critical_tasks.watch(gateway.clone().keep_history()));
        tokio::spawn(leaving.clone().run_until_cancelled_owned(advertise(cluster.clone(), guess)));
        let left = leaving.clone();
        let cluster = tokio::spawn(critical_tasks.watch(async move { cluster.run(controls, left).await }));
        Ok(Self {
            addresses,
            drain,
            descriptors,
            hook_metrics,
            events,
            remote_keys,
            bounds,
            gateway,
            hub,
            server,
            broker,
            reloads,
            tls,
            cluster,
            traces,
            critical_tasks,
            closing,
            leaving,
        })
    }

    /// Uses those values of the configuration that may change while the node runs. All others are still those of the
    /// start: [`Loaded::reload`](crate::config::Loaded::reload) sees to that.
    pub fn reload(&self, config: &Config) {
        self.hub.settings.reload(&config.limits, config.namespaces.clone());
        let gateway = gateway_config(config, self.descriptors, self.remote_keys.clone());
        self.bounds.set(&gateway.admission, &config.limits);
        self.gateway.reload(gateway);
        ask_by(&self.hub, config.hooks.clone(), &self.hook_metrics);
        self.events.tell(&self.hub, config.events.clone());
        self.drain.send_replace(config.drain);
        self.tls.reload(config);
    }

    /// The addresses that it listens on.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The part whose critical task has ended, once one has. Before [`Node::stop`] only a panic ends one, in a build
    /// that unwinds.
    pub async fn failed(&self) -> &'static str {
        tokio::select! {
            () = self.hub.failed() => "delivery",
            () = self.broker.failed() => "the broker",
            () = self.server.failed() => "a listener",
            () = self.critical_tasks.ended() => "the view of the cluster, of interruptions or of health, or events",
        }
    }
}

impl Addresses {
    fn of(listeners: &[Listener]) -> Self {
        let of = |is_meant: fn(&Listener) -> bool| {
            let meant = listeners.iter().filter(|listener| is_meant(listener));
            meant.filter_map(|listener| listener.socket.local_addr().ok()).collect()
        };
        Self {
            clients: of(|listener| listener.roles.has(Role::Clients)),
            api: of(|listener| listener.roles.has(Role::Api)),
            metrics: of(|listener| listener.roles.has(Role::Metrics)),
            inherited: of(|listener| listener.is_inherited),
            tls: of(|listener| listener.tls.is_tls()),
        }
    }
}

/// The pace at which sessions are closed, by the configuration of the moment.
fn pace(drain: watch::Receiver<Drain>) -> impl Fn() -> Pace {
    move || {
        let Drain { rate, timeout, .. } = *drain.borrow();
        Pace { per_second: rate, within: timeout }
    }
}

/// Asks the backend of this configuration from now on.
fn ask_by(hub: &Hub, config: Option<HookConfig>, metrics: &HookMetrics) {
    let hooks = config.map(|config| Arc::new(HttpHooks::new(config, metrics.clone())) as Arc<dyn Hooks>);
    hub.hooking.ask_by(hooks);
}

/// The parts that make and send spans, where the configuration asks for them.
fn traces(config: &Config, metrics: &prometheus::Registry) -> Result<Option<Traces>, StartError> {
    let (spans, broker) = (SpanMetrics::register(metrics)?, name_of(&config.broker));
    let start = |tracing| Traces::start(tracing, &config.node, broker, spans);
    Ok(config.tracing.as_ref().map(start).transpose()?)
}

fn gateway_config(
    config: &Config,
    descriptors: usize,
    remote_keys: Option<Arc<RemoteKeys>>,
) -> fanfare_gateway::Config {
    let auth = |Auth { mut tokens, source, .. }| {
        tokens.keys = tokens.keys.and(remote_keys);
        ClientAuth { authenticator: Arc::new(tokens), source }
    };
    fanfare_gateway::Config {
        origins: config.origins.clone(),
        api_keys: config.api_keys.clone(),
        auth: config.auth.clone().map(auth),
        admission: within(config.admission, descriptors),
        descriptors,
        proxies: config.proxies.clone(),
        browser_errors: config.browser_errors,
        deflate: config.deflate,
        relay: dialects::relay(&config.relay),
        commanded: dialects::commanded(&config.relay),
        unidirectional: dialects::unidirectional(&config.relay),
        plain: dialects::plain(&config.relay),
        hook_headers: if config.hooks.is_some() { config.hook_headers.clone() } else { Vec::new() },
        broker: name_of(&config.broker),
    }
}

/// The metrics of the hub, with a series for each transport of each dialect.
fn hub_metrics(metrics: &prometheus::Registry) -> Result<Arc<HubMetrics>, StartError> {
    let hub = HubMetrics::register(metrics)?;
    for (dialect, transports) in dialects::ALL {
        hub.connections.expect(dialect, transports);
    }
    Ok(Arc::new(hub))
}

/// Tells the other nodes the address of the metrics, once it is known.
async fn advertise(cluster: Arc<Cluster>, guess: Guess) {
    if let Some(metrics) = guess.resolve().await {
        cluster.advertise(metrics.to_string());
    }
}

/// The limits, with no more connections than the descriptors allow.
fn within(admission: AdmissionLimits, descriptors: usize) -> AdmissionLimits {
    let (configured, room) = (admission.connections, connections_for(descriptors));
    if configured > room {
        tracing::warn!(
            configured,
            room,
            descriptors,
            "fewer connections than limits.connections: the process has not enough descriptors (ulimit -n)"
        );
    }
    AdmissionLimits { connections: configured.min(room), ..admission }
}

fn name_of(broker: &BrokerConfig) -> &'static str {
    match broker {
        BrokerConfig::Memory => "memory",
        BrokerConfig::Redis(_) | BrokerConfig::Several(_) | BrokerConfig::Cluster(_) => "redis",
    }
}
