//! `GET /api/cluster`: the nodes as this node sees them, for the page and for `fanfare top`.
//!
//! Invariant: figures, and the addresses of the nodes' metrics and of the broker's servers, are told only on listeners that
//! serve `/metrics`. Other listeners tell names, versions, connections and the broker's state.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use fanfare_core::{Broker, Channel, CommandError, NodeInfo, Partition};
use http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;
use crate::{
    gateway::Gateway,
    http::{
        endpoint::{Endpoint, Kind},
        query::parameters,
    },
    rights::{may_read_history, may_see_presence},
    roles::{Role, Roles},
    servers::Servers,
    snapshot::NodeSnapshot,
};

/// The endpoint. It needs no key.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/api/cluster"],
    roles: &[Role::Clients, Role::Metrics],
    kind: Kind::Api,
    handler: |listener| {
        let cluster = get(cluster).fallback(async || ApiError::WrongMethod);
        cluster.layer(Extension(listener.roles))
    },
    elsewhere: None,
};

#[derive(Serialize, ToSchema)]
#[schema(as = Cluster)]
pub(super) struct View {
    node: String,
    broker: &'static str,
    /// The broker's state: `up`, `away`, `deaf` or `split`.
    state: &'static str,
    /// The address of the server that the broker is on, or was on last, where the broker has one partition; only on
    /// listeners that serve metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    /// The partitions of the broker, where there are several: `state` is the worst of theirs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    partitions: Vec<PartitionView>,
    /// The figures of this node.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    figures: Option<NodeSnapshot>,
    nodes: Vec<NodeView>,
    /// The channel in the parameter `channel`, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelView>,
}

/// One partition of the broker.
#[derive(Serialize, ToSchema)]
#[schema(as = ClusterPartition)]
struct PartitionView {
    /// Its name: in a Cluster its slot, else that of its server.
    name: String,
    /// Its state: `up`, `away`, `deaf` or `split`.
    state: &'static str,
    /// The address of the server that it is on, or was on last; only on listeners that serve metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
}

fn partitions(broker: &dyn Broker, servers: Servers<'_>) -> Vec<PartitionView> {
    let view = |partition| {
        let name = broker.partition_name(partition)?.to_owned();
        Some(PartitionView { name, state: broker.state(partition).name(), server: servers.of(partition) })
    };
    (0..broker.partitions()).map(Partition).filter_map(view).collect()
}

/// A channel, and the rights of a client without a token to read of it.
#[derive(Serialize, ToSchema)]
#[schema(as = ClusterChannel)]
struct ChannelView {
    /// The state of its partition of the broker.
    state: &'static str,
    /// Whether it may read its history.
    history: bool,
    /// Whether it may see the clients in it.
    presence: bool,
}

impl ChannelView {
    fn of(gateway: &Gateway, uri: &Uri) -> Option<Self> {
        let (_, name) = parameters(uri.query()).find(|(name, _)| name == "channel")?;
        let channel = Channel::new(&name).ok()?;
        let namespaces = gateway.hub.settings.namespaces();
        let namespace = namespaces.of(&channel);
        let may = |right: Result<(), CommandError>| right.is_ok();
        let broker = gateway.hub.broker();
        Some(Self {
            state: broker.state(broker.partition_of(&channel)).name(),
            history: namespace.retention.is_some() && may(may_read_history(namespace, None, &channel)),
            presence: namespace.tracks_presence && may(may_see_presence(namespace, None, &channel)),
        })
    }
}

/// One node of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ClusterNode)]
pub struct NodeView {
    /// Its name, for people.
    pub name: String,
    /// Its release.
    pub version: String,
    /// Its open connections, as it last reported.
    pub connections: u64,
    /// The URL of its metrics, if it reports one; only on listeners that serve metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// Whether it is the node that answers.
    #[serde(rename = "self")]
    pub is_self: bool,
}

/// See the head of this file. The connections of the node that answers are those of this moment.
async fn cluster(
    State(gateway): State<Arc<Gateway>>,
    Extension(roles): Extension<Roles>,
    uri: Uri,
) -> Response {
    let has_metrics = roles.has(Role::Metrics);
    let servers = Servers::told(&gateway, roles);
    let me = gateway.cluster.me();
    let view = |node: &NodeInfo| {
        let is_self = node.incarnation == me.incarnation;
        let node = if is_self { &me } else { node };
        NodeView {
            name: node.name.clone(),
            version: node.version.clone(),
            connections: node.connections,
            metrics: node.metrics.clone().filter(|_| has_metrics),
            is_self,
        }
    };
    Json(View {
        node: me.name.clone(),
        broker: gateway.config().broker,
        state: gateway.hub.broker().overall_state().name(),
        server: servers.only(),
        partitions: partitions(&**gateway.hub.broker(), servers),
        figures: has_metrics.then(|| gateway.snapshots.take(&gateway.registry)),
        nodes: gateway.cluster.nodes().iter().map(view).collect(),
        channel: ChannelView::of(&gateway, &uri),
    })
    .into_response()
}
