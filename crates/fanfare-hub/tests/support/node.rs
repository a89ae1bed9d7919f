//! A hub with one of the brokers.

use std::{sync::Arc, time::Duration};

use fanfare_broker::BrokerConfig;
use fanfare_core::{
    Backend, BrokerEvents, Heartbeat, Incarnation, Limits, Namespace, Namespaces, Outbox, Payload, Presence,
    Publish, PublishError, Revocations, Tracer, broker::ControlMessage,
};
use fanfare_hub::{ConnectRules, Dispatcher, Hub, HubMetrics, Kind, Peer};
use prometheus::{Registry, proto::Metric};
use tokio::sync::mpsc;

use super::{Client, Framing, Histories, Lines, Pipe, Recorder, channel};

pub(crate) const INCARNATION: Incarnation = Incarnation(7);

/// The parts of a node.
pub(crate) struct Setup {
    pub(crate) shards: usize,
    pub(crate) limits: Limits,
    /// The namespace of every channel outside `named`.
    pub(crate) namespace: Namespace,
    pub(crate) named: Vec<Namespace>,
    pub(crate) dialect: &'static Lines,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) connects: Option<ConnectRules>,
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
    /// The histories of its channels; `None`: the broker keeps none.
    pub(crate) histories: Option<Arc<Histories>>,
    /// The clients in its channels; `None`: those of the broker.
    pub(crate) presence: Option<Arc<dyn Presence>>,
    /// The revoked tokens; `None`: those of the broker.
    pub(crate) revocations: Option<Arc<dyn Revocations>>,
}

/// So rare that no test meets it by chance.
const NO_HEARTBEAT: Heartbeat = Heartbeat {
    ping_interval: Duration::from_secs(1 << 20),
    pong_timeout: Duration::from_secs(1 << 20),
    idle_timeout: Duration::ZERO,
};

impl Default for Setup {
    fn default() -> Self {
        Self {
            shards: 1,
            limits: Limits::default(),
            namespace: Namespace::default(),
            named: Vec::new(),
            dialect: Lines::answering(),
            heartbeat: NO_HEARTBEAT,
            connects: None,
            tracer: None,
            histories: None,
            presence: None,
            revocations: None,
        }
    }
}

/// One node, without listeners.
pub(crate) struct Node {
    pub(crate) hub: Arc<Hub>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) controls: mpsc::Receiver<ControlMessage>,
    pub(crate) dialect: &'static Lines,
    pub(crate) kind: Arc<Kind>,
    /// The events about its clients.
    pub(crate) outbox: Arc<dyn Outbox>,
    registry: Registry,
}

impl Setup {
    /// With the broker of a node that is alone.
    pub(crate) fn memory(self) -> Node {
        let node = fanfare_broker::Node { incarnation: INCARNATION, limits: self.limits.clone() };
        self.start(|events| {
            let metrics = prometheus::Registry::new();
            fanfare_broker::start(&node, BrokerConfig::Memory, events, &metrics).unwrap().backend
        })
    }

    /// With a broker that the test plays.
    pub(crate) fn recorded(self) -> (Node, Arc<Recorder>) {
        let mut recorder = None;
        let node = self.start(|events| {
            let broker = recorder.insert(Recorder::new(vec![events])).clone();
            Backend::without_memory(broker)
        });
        (node, recorder.unwrap())
    }

    fn start(self, backend: impl FnOnce(Arc<dyn BrokerEvents>) -> Backend) -> Node {
        let Self {
            shards,
            limits,
            namespace,
            named,
            dialect,
            heartbeat,
            connects,
            tracer,
            histories,
            presence,
            revocations,
        } = self;
        let namespaces = Arc::new(Namespaces::new(namespace, named));
        let registry = Registry::new();
        let metrics = Arc::new(HubMetrics::register(&registry).unwrap());
        metrics.connections.expect(dialect, &["pipe"]);
        let (dispatcher, controls) =
            Dispatcher::new(INCARNATION, shards, namespaces, &limits, metrics.clone());
        let dispatcher = Arc::new(dispatcher);
        let mut backend = backend(dispatcher.clone());
        if let Some(histories) = histories {
            backend.history = histories;
        }
        if let Some(presence) = presence {
            backend.presence = presence;
        }
        if let Some(revocations) = revocations {
            backend.revocations = revocations;
        }
        let outbox = backend.outbox.clone();
        let hub = Hub::start(dispatcher.clone(), backend, limits, metrics, tracer);
        let kind = Arc::new(Kind { dialect, heartbeat, transport: "pipe", connects });
        Node { hub, dispatcher, controls, dialect, kind, outbox, registry }
    }
}

impl Node {
    /// A client that reads whatever comes.
    pub(crate) fn client(&self) -> Client {
        self.client_on(Pipe::open(Framing::Newline))
    }

    pub(crate) fn client_on(&self, pipe: Pipe) -> Client {
        self.client_of(&self.kind, pipe)
    }

    /// A client beside those that connect by a command, which does not.
    pub(crate) fn client_without_connect(&self) -> Client {
        let heartbeat = self.kind.heartbeat.clone();
        let kind = Arc::new(Kind { heartbeat, connects: None, ..*self.kind });
        self.client_of(&kind, Pipe::open(Framing::Newline))
    }

    /// A client of a dialect that is not the node's, which does not connect.
    pub(crate) fn client_of_dialect(&self, dialect: &'static Lines) -> Client {
        let heartbeat = self.kind.heartbeat.clone();
        let kind = Arc::new(Kind { dialect, heartbeat, connects: None, ..*self.kind });
        self.client_of(&kind, Pipe::open(Framing::Newline))
    }

    fn client_of(&self, kind: &Arc<Kind>, pipe: Pipe) -> Client {
        let session = self.hub.sessions.open(kind, Peer::default());
        assert!(self.hub.sessions.admit(&session));
        self.hub.sessions.attach(&session, pipe.framing(), pipe.sink());
        Client::new(self.hub.clone(), session, pipe)
    }

    /// A client in these channels, that reads whatever comes.
    pub(crate) async fn client_in(&self, channels: &[&str]) -> Client {
        let client = self.client();
        client.join(channels).await;
        client
    }

    pub(crate) async fn publish(&self, name: &str, text: impl Into<String>) -> Result<(), PublishError> {
        let publish = Publish::new(channel(name), Payload::text(text));
        self.hub.publisher.publish_from_server(publish, None, false).await.map(drop)
    }

    /// How often clients were slow, by what became of it.
    pub(crate) fn slow(&self, policy: &str) -> u64 {
        self.hub.metrics().slow.with_label_values(&[policy]).get()
    }

    /// How many connections ended for this reason.
    pub(crate) fn closed(&self, reason: &str) -> u64 {
        self.count("fanfare_connections_closed_total", &[("reason", reason)])
    }

    /// How many series there are of this name.
    pub(crate) fn series(&self, name: &str) -> usize {
        let families = self.registry.gather();
        families.iter().filter(|family| family.name() == name).map(|family| family.get_metric().len()).sum()
    }

    /// The sum of the counters of this name that have these labels.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let families = self.registry.gather();
        let metrics =
            families.iter().filter(|family| family.name() == name).flat_map(|family| family.get_metric());
        let is_meant = |metric: &&Metric| {
            labels
                .iter()
                .all(|wanted| metric.get_label().iter().any(|label| (label.name(), label.value()) == *wanted))
        };
        metrics.filter(is_meant).map(|metric| metric.get_counter().get_value() as u64).sum()
    }
}
