//! A gateway whose broker, history and presence the test plays.

use std::{
    collections::HashMap,
    future::ready,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
};

use bytes::Bytes;
use fanfare_auth::{ApiKeys, OriginPolicy};
use fanfare_core::{
    Backend, Broker, Channel, ClientId, Decoder, Epoch, History, Incarnation, Limits, Namespace, Namespaces,
    NodeInfo, Partition, Payload, Position, Presence, Publication, Publish, PublishError, Registry,
    Retention, Taken,
    broker::{BrokerState, Done, Recipient, SubscribeFuture},
    history::{HistoryFuture, Page, Range},
    presence::{Entered, PresenceEntry, PresenceFuture, PresenceStats},
    registry::RegistryFuture,
};
use fanfare_hub::{Cluster, Dispatcher, Hub, HubMetrics, Kind};
use fanfare_protocol::{RelayDecoder, dialect};
use parking_lot::Mutex;
use serde_json::Value;

use super::{
    call::{Call, Method, parse},
    error::ApiError,
};
use crate::{
    AdmissionLimits, CommandedEndpoint, Config, Encoding, Gateway, GatewayMetrics, OverHttp, PlainEndpoints,
    Proxies, ProxyProtocol, RelayEndpoint, UnidirectionalEndpoint, http::endpoint::Listening, roles::Roles,
};

/// The epoch of every history.
pub(crate) const EPOCH: Epoch = Epoch(0xab);

/// A history that the test fills. Nothing is dropped.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<Channel, Vec<Arc<Publication>>>>);

impl Kept {
    pub(crate) fn push(&self, channel: &str, payload: Payload) {
        self.keep(Publish::new(Channel::new(channel).unwrap(), payload));
    }

    fn keep(&self, publish: Publish) -> Position {
        let mut channels = self.0.lock();
        let kept = channels.entry(publish.channel.clone()).or_default();
        let position = Position { epoch: EPOCH, offset: kept.len() as u64 + 1 };
        let publication = Publication::new(publish.channel, publish.payload, None);
        kept.push(Arc::new(publication.with_attributes(publish.attributes).at(Some(position))));
        position
    }
}

impl History for Kept {
    fn read(&self, channel: &Channel, range: Range) -> HistoryFuture<Page> {
        let kept = self.0.lock().get(channel).cloned().unwrap_or_default();
        let top = Position { epoch: EPOCH, offset: kept.len() as u64 };
        let at = |publication: &Arc<Publication>| publication.position.unwrap().offset;
        let publications = match range {
            Range::After { offset, limit } => {
                kept.iter().filter(|found| at(found) > offset).take(limit).cloned().collect()
            }
            Range::Before { offset, limit } => {
                let before = kept.iter().rev().filter(|found| offset.is_none_or(|offset| at(found) < offset));
                let mut newest: Vec<_> = before.take(limit).cloned().collect();
                newest.reverse();
                newest
            }
        };
        Box::pin(ready(Ok(Page { top, publications, continues: Vec::new() })))
    }

    fn tops(&self, _: &[Channel]) -> HistoryFuture<Vec<Position>> {
        unreachable!()
    }

    fn remove(&self, channel: &Channel) -> HistoryFuture<()> {
        self.0.lock().remove(channel);
        Box::pin(ready(Ok(())))
    }
}

/// Clients that the test lists.
#[derive(Default)]
pub(crate) struct Listed(pub(crate) Mutex<Vec<PresenceEntry>>);

impl Presence for Listed {
    fn enter(&self, _: &Channel, _: PresenceEntry) {}

    fn entered(&self, _: &Channel) -> Option<Entered> {
        None
    }

    fn leave(&self, _: &Channel, _: ClientId) -> Option<PresenceEntry> {
        None
    }

    fn members(&self, _: &Channel) -> PresenceFuture<Vec<PresenceEntry>> {
        Box::pin(ready(Ok(self.0.lock().clone())))
    }

    fn stats(&self, _: &Channel) -> PresenceFuture<PresenceStats> {
        let clients = self.0.lock().len() as u64;
        Box::pin(ready(Ok(PresenceStats { clients, users: clients.min(1) })))
    }
}

/// A broker that takes all but those on `refused`, keeps what has a retention, and knows idempotency keys.
#[derive(Default)]
pub(crate) struct Taking {
    pub(crate) kept: Arc<Kept>,
    keys: Mutex<HashMap<(Channel, String), Taken>>,
    pub(crate) published: Mutex<Vec<(Channel, Payload)>>,
    /// The publishes that are handed over and not answered, at most.
    pub(crate) together: AtomicU64,
    waiting: Mutex<Vec<(Publish, Done)>>,
}

impl Taking {
    fn take(&self, publish: Publish) -> Result<Taken, PublishError> {
        if publish.channel.as_str() == "refused" {
            return Err(PublishError::Refused("it is a test".into()));
        }
        let key = publish.attributes.as_ref().and_then(|attributes| attributes.idempotency_key.clone());
        let key = key.map(|key| (publish.channel.clone(), key));
        if let Some(before) = key.as_ref().and_then(|key| self.keys.lock().get(key).copied()) {
            return Ok(Taken { duplicate: true, ..before });
        }
        self.published.lock().push((publish.channel.clone(), publish.payload.clone()));
        let position = publish.retention.map(|_| self.kept.keep(publish));
        let taken = Taken { position, duplicate: false };
        if let Some(key) = key {
            self.keys.lock().insert(key, taken);
        }
        Ok(taken)
    }

    /// Answers all that wait.
    fn answer(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        self.together.fetch_max(waiting.len() as u64, Ordering::Relaxed);
        waiting.into_iter().for_each(|(publish, done)| done(self.take(publish)));
    }
}

/// Answers a turn of the runtime later, so that a test sees what was handed over together.
struct Later(Arc<Taking>);

impl Broker for Later {
    fn publish(&self, publish: Publish, done: Done) {
        self.0.waiting.lock().push((publish, done));
        let taking = self.0.clone();
        tokio::spawn(async move { taking.answer() });
    }

    fn subscribe(&self, _: &Channel) -> SubscribeFuture {
        Box::pin(ready(Ok(())))
    }

    fn unsubscribe(&self, _: &Channel) {}

    fn control(&self, _: Recipient, _: Bytes) {}

    fn state(&self, _: Partition) -> BrokerState {
        BrokerState::Up
    }
}

struct Alone;

impl Registry for Alone {
    fn announce(&self, _: &NodeInfo) -> RegistryFuture<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn withdraw(&self) -> RegistryFuture<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn nodes(&self) -> RegistryFuture<'_, Vec<NodeInfo>> {
        Box::pin(ready(Ok(Vec::new())))
    }
}

/// A node with the namespace `kept`, which keeps and lists, and the default, which does not.
pub(crate) struct Scene {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) taking: Arc<Taking>,
    pub(crate) listed: Arc<Listed>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let registry = prometheus::Registry::new();
        let metrics = Arc::new(HubMetrics::register(&registry).unwrap());
        let gateway_metrics =
            Arc::new(GatewayMetrics::register(&registry, metrics.limits_hit.clone()).unwrap());
        let limits = Limits { message_bytes: 1024, ..Limits::default() };
        let retention = Retention { size: 10, ttl: std::time::Duration::from_secs(60) };
        let kept = Namespace {
            name: "kept".into(),
            retention: Some(retention),
            tracks_presence: true,
            ..Namespace::default()
        };
        let namespaces = Arc::new(Namespaces::new(Namespace::default(), vec![kept]));
        let (dispatcher, _) = Dispatcher::new(Incarnation(1), 1, namespaces, &limits, metrics.clone());
        let (taking, listed) = (Arc::<Taking>::default(), Arc::<Listed>::default());
        let broker: Arc<dyn Broker> = Arc::new(Later(taking.clone()));
        let backend = Backend {
            history: taking.kept.clone(),
            presence: listed.clone(),
            ..Backend::without_memory(broker.clone())
        };
        let hub = Hub::start(Arc::new(dispatcher), backend, limits, metrics.clone(), None);
        let cluster = Arc::new(Cluster::new(me(), Arc::new(Alone), broker, metrics));
        let gateway = Gateway::new(hub, cluster, registry, gateway_metrics, config());
        Self { gateway: Arc::new(gateway), taking, listed }
    }

    /// The answer to a call with this body, as JSON.
    pub(super) async fn call<M: Method>(&self, body: &str) -> Value {
        self.call_with::<M>(body, None).await
    }

    pub(super) async fn call_with<M: Method>(&self, body: &str, key: Option<&str>) -> Value {
        let idempotency_key = key.map(str::to_owned);
        let call = Call { gateway: &self.gateway, parent: None, idempotency_key };
        let answered = async { parse::<M>(body.as_bytes())?.call(&call).await };
        match answered.await {
            // By way of text: a value cannot hold JSON verbatim.
            Ok(result) => serde_json::from_str(&serde_json::to_string(&result).unwrap()).unwrap(),
            Err(error) => error_of(&error),
        }
    }
}

fn error_of(error: &ApiError) -> Value {
    let told = error.told();
    serde_json::json!({"code": told.code, "reason": told.reason, "message": told.message})
}

fn me() -> NodeInfo {
    NodeInfo { version: "1.0.0".to_owned(), ..NodeInfo::first(Incarnation(1), "north", 1) }
}

fn config() -> Config {
    Config {
        origins: OriginPolicy::default(),
        api_keys: ApiKeys::default(),
        auth: None,
        browser_errors: false,
        deflate: false,
        admission: AdmissionLimits {
            connections: 10,
            connections_per_address: 0,
            connections_per_second: 0,
            header_count: 64,
            header_bytes: 1 << 14,
            keep_alive: std::time::Duration::from_secs(60),
        },
        descriptors: 100,
        proxies: Proxies { trusted: Vec::new(), protocol: ProxyProtocol::None },
        relay: RelayEndpoint {
            kind: Arc::new(Kind {
                dialect: &dialect::RELAY,
                heartbeat: fanfare_core::Heartbeat::default(),
                transport: "websocket",
                connects: None,
            }),
            decoder: |channel| Box::new(RelayDecoder::new(channel)),
        },
        commanded: CommandedEndpoint { usual: encoding(["commands", "one"]), others: Vec::new() },
        unidirectional: UnidirectionalEndpoint {
            sse: encoding(["", ""]).kind,
            http_stream: encoding(["", ""]).kind,
            websocket: encoding(["", ""]).kind,
            decoder: || unreachable!("no test sends a command"),
        },
        plain: {
            let kind = encoding(["", ""]).kind;
            PlainEndpoints {
                events_of_one: kind.clone(),
                events_of_several: kind.clone(),
                lines: kind.clone(),
                polls: kind,
            }
        },
        hook_headers: Vec::new(),
        broker: "memory",
    }
}

/// An encoding with this subprotocol and this format. Its client's commands are not read.
pub(crate) fn encoding([subprotocol, format]: [&'static str; 2]) -> Encoding {
    let heartbeat = fanfare_core::Heartbeat::default();
    let kind = Arc::new(Kind { dialect: &dialect::RELAY, heartbeat, transport: "websocket", connects: None });
    let decoder = || -> Box<dyn Decoder> { unreachable!("no test sends a command") };
    let over_http =
        OverHttp { is_binary: false, http_stream: kind.clone(), sse: kind.clone(), emulated: |_| None };
    Encoding { subprotocol, format, with_own_pings: kind.clone(), kind, decoder, over_http }
}

/// Every method makes a handler for each listener.
#[tokio::test]
async fn every_method_has_a_handler() {
    let scene = Scene::new();
    for roles in
        [Roles::default()].into_iter().chain(crate::Role::ALL.iter().map(|role| Roles::from_iter([*role])))
    {
        let listener = Listening { gateway: &scene.gateway, roles, kept: &[] };
        super::methods::METHODS.iter().for_each(|method| drop(method.endpoint.on(&listener)));
    }
}
