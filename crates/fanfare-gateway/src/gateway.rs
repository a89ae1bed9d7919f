//! What all handlers share.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use arc_swap::ArcSwap;
use fanfare_auth::{ApiKeys, OriginPolicy, TokenSource};
use fanfare_core::{Authenticator, Channel, Decoder};
use fanfare_hub::{Cluster, Hub, Kind};

use crate::{
    listener::{
        admission::{Admission, AdmissionLimits},
        client_address::Proxies,
        descriptors::DescriptorBudget,
    },
    metrics::GatewayMetrics,
    snapshot::Snapshots,
    state_history::StateHistory,
};

/// What the gateway is told, at start and whenever the configuration was read again.
pub struct Config {
    /// Which pages may use it.
    pub origins: OriginPolicy,
    /// Which backends may publish.
    pub api_keys: ApiKeys,
    /// Which tokens clients may show, where it is configured.
    pub auth: Option<ClientAuth>,
    /// Whether a browser that is refused for its page's origin, its token or its channel is told in a close frame.
    pub browser_errors: bool,
    /// Whether permessage-deflate is negotiated.
    pub deflate: bool,
    /// How many connections, and how large a request, the node takes.
    pub admission: AdmissionLimits,
    /// The descriptors of the process, see [`connections_for`](crate::connections_for).
    pub descriptors: usize,
    /// Which proxies say whose connection it is.
    pub proxies: Proxies,
    /// What is spoken at `/ws/{channel}`.
    pub relay: RelayEndpoint,
    /// How the broker is called on the page: `memory`, `redis`.
    pub broker: &'static str,
}

/// How clients show who they are.
pub struct ClientAuth {
    /// Verifies their tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// Where a request carries its token.
    pub source: TokenSource,
}

/// What is spoken at `/ws/{channel}`: given by the composition root, so that the gateway knows no dialect.
pub struct RelayEndpoint {
    /// The dialect, and how its sessions are kept alive.
    pub kind: Arc<Kind>,
    /// Makes a session's decoder.
    pub decoder: fn(Channel) -> Box<dyn Decoder>,
}

/// The node behind its listeners.
pub struct Gateway {
    pub(crate) hub: Arc<Hub>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) registry: prometheus::Registry,
    pub(crate) metrics: Arc<GatewayMetrics>,
    pub(crate) descriptors: Arc<DescriptorBudget>,
    pub(crate) admission: Arc<Admission>,
    config: ArcSwap<Config>,
    pub(crate) history: StateHistory,
    pub(crate) snapshots: Snapshots,
    leaving: OnceLock<SystemTime>,
    refusing: AtomicBool,
}

impl Gateway {
    /// A gateway to `hub`; `registry` is what `/metrics` shows, `metrics` what the gateway itself counts.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        cluster: Arc<Cluster>,
        registry: prometheus::Registry,
        metrics: Arc<GatewayMetrics>,
        config: Config,
    ) -> Self {
        let descriptors = DescriptorBudget::new(config.descriptors, metrics.limits_hit().clone());
        let admission = Admission::new(config.admission.connections_per_second);
        Self {
            history: StateHistory::new(&hub),
            snapshots: Snapshots::default(),
            hub,
            cluster,
            registry,
            metrics,
            descriptors,
            admission,
            config: ArcSwap::from_pointee(config),
            leaving: OnceLock::new(),
            refusing: AtomicBool::new(false),
        }
    }

    /// From now on with these, for whoever connects or calls. [`Config::descriptors`] and [`Config::broker`] stay what
    /// they were.
    pub fn reload(&self, config: Config) {
        self.config.store(Arc::new(config));
    }

    /// What it is told at this moment. Each request asks once for what it needs of it together.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Notes when the broker's state changes, for as long as the node lives: nobody may be asking at that moment.
    pub async fn keep_history(self: Arc<Self>) {
        self.history.watch(&self.hub).await;
    }

    /// From now on the node says that it is not ready, and to the others that it leaves.
    pub fn leave(&self) {
        self.cluster.leave();
        self.leaving.get_or_init(SystemTime::now);
    }

    /// From now on nobody new is let in; health and metrics still answer.
    pub fn refuse(&self) {
        self.refusing.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.left_at().is_some()
    }

    /// When the node was told to end, if it was.
    pub(crate) fn left_at(&self) -> Option<SystemTime> {
        self.leaving.get().copied()
    }

    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::SeqCst)
    }
}
