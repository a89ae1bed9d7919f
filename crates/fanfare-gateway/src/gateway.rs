//! The state that all handlers share.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
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

/// The configuration of the gateway: given at the start, and whenever the files were read again.
pub struct Config {
    /// The pages that may use it.
    pub origins: OriginPolicy,
    /// The backends that may publish.
    pub api_keys: ApiKeys,
    /// How clients authenticate; `None` where nothing could verify a token.
    pub auth: Option<ClientAuth>,
    /// Whether a close frame tells a browser that it is refused for its page's origin, its token or its channel.
    pub browser_errors: bool,
    /// Whether permessage-deflate is negotiated.
    pub deflate: bool,
    /// The number of connections and the size of requests that the node takes.
    pub admission: AdmissionLimits,
    /// The number of descriptors of the process, see [`connections_for`](crate::connections_for).
    pub descriptors: usize,
    /// The proxies that name the client of a connection.
    pub proxies: Proxies,
    /// The dialect at `/ws/{channel}`.
    pub relay: RelayEndpoint,
    /// The dialect at `/connection/websocket`.
    pub commanded: CommandedEndpoint,
    /// The dialect of clients that only listen.
    pub unidirectional: UnidirectionalEndpoint,
    /// The dialects of plain HTTP.
    pub plain: PlainEndpoints,
    /// The headers of handshakes that the operator's backend gets, in lower case: at `/connection/websocket`.
    pub hook_headers: Vec<String>,
    /// The name of the broker on the page: `memory`, `redis`.
    pub broker: &'static str,
}

impl Config {
    fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        self.auth.as_ref().map(|auth| auth.authenticator.clone())
    }
}

/// How clients authenticate.
pub struct ClientAuth {
    /// Verifies their tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// The places of a request where its token may be.
    pub source: TokenSource,
}

/// The dialect at `/ws/{channel}`: given by the composition root, so that the gateway knows no dialect.
pub struct RelayEndpoint {
    /// The dialect, and how its sessions are kept alive.
    pub kind: Arc<Kind>,
    /// Makes a session's decoder.
    pub decoder: fn(Channel) -> Box<dyn Decoder>,
}

/// The dialect at `/connection/websocket`, whose clients connect and subscribe by commands: given by the composition
/// root, too.
pub struct CommandedEndpoint {
    /// The encoding of clients that ask for none, or for one that is not there.
    pub usual: Encoding,
    /// The other encodings.
    pub others: Vec<Encoding>,
}

/// An encoding of a dialect.
pub struct Encoding {
    /// The subprotocol by which a client asks for it. It is the answer, too.
    pub subprotocol: &'static str,
    /// Its name in the query.
    pub format: &'static str,
    /// The dialect in this encoding, and how its sessions are kept alive.
    pub kind: Arc<Kind>,
    /// The same for clients that ask for the WebSocket's own pings.
    pub with_own_pings: Arc<Kind>,
    /// Makes a session's decoder.
    pub decoder: fn() -> Box<dyn Decoder>,
    /// The encoding over HTTP.
    pub over_http: OverHttp,
}

/// An encoding over HTTP: its clients get messages down a stream, and send by requests.
pub struct OverHttp {
    /// Whether its messages are bytes that say their own length; else each is a line of text.
    pub is_binary: bool,
    /// The dialect at `/connection/http_stream`, whose goodbye is a message, and how its sessions are kept alive.
    pub http_stream: Arc<Kind>,
    /// The same at `/connection/sse`.
    pub sse: Arc<Kind>,
    /// Reads the body of a client's request.
    pub emulated: fn(&[u8]) -> Option<Emulated>,
}

/// The dialect of clients that only listen, and send nothing but one message to connect: at `/connection/uni_sse`,
/// `/connection/uni_http_stream` and `/connection/uni_websocket`.
pub struct UnidirectionalEndpoint {
    /// The dialect at `/connection/uni_sse`, whose goodbye is a message.
    pub sse: Arc<Kind>,
    /// The same at `/connection/uni_http_stream`.
    pub http_stream: Arc<Kind>,
    /// The dialect over a WebSocket.
    pub websocket: Arc<Kind>,
    /// Makes a session's decoder.
    pub decoder: fn() -> Box<dyn Decoder>,
}

/// The dialects of plain HTTP, whose clients name their channels in an address or a body and then only listen: at `/sse`,
/// `/stream` and `/poll`.
pub struct PlainEndpoints {
    /// Server-Sent Events of one channel.
    pub events_of_one: Arc<Kind>,
    /// Server-Sent Events of several channels.
    pub events_of_several: Arc<Kind>,
    /// Lines of JSON.
    pub lines: Arc<Kind>,
    /// The answers to polls.
    pub polls: Arc<Kind>,
}

/// Commands for a session that requests feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emulated {
    /// The secret name of the session.
    pub session: String,
    /// Its node, by its incarnation.
    pub node: String,
    /// The commands: one message.
    pub commands: Bytes,
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
    /// A gateway to `hub`. `/metrics` shows `registry`; the gateway counts in `metrics`.
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
        hub.identities.verify_by(config.authenticator());
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

    /// Uses this configuration for connections and calls from now on. [`Config::descriptors`] and [`Config::broker`] do
    /// not change.
    pub fn reload(&self, config: Config) {
        self.hub.identities.verify_by(config.authenticator());
        self.config.store(Arc::new(config));
    }

    /// The configuration of this moment. A request that needs several values of it asks once.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Notes when the broker's state changes, also while no probe asks. Never ends.
    pub async fn keep_history(self: Arc<Self>) {
        self.history.watch(&self.hub).await;
    }

    /// Makes the node not ready from now on, and tells the other nodes that it leaves.
    pub fn leave(&self) {
        self.cluster.leave();
        self.leaving.get_or_init(SystemTime::now);
    }

    /// Refuses every new client and call from now on; health and metrics still answer.
    pub fn refuse(&self) {
        self.refusing.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.left_at().is_some()
    }

    /// When the node was told to end, if ever.
    pub(crate) fn left_at(&self) -> Option<SystemTime> {
        self.leaving.get().copied()
    }

    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::SeqCst)
    }
}
