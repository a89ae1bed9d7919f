//! `GET /api/cluster`: the nodes as this node sees them, for the page and for `fanfare top`.
//!
//! Invariant: figures, and the addresses of the nodes' metrics, are told only on listeners that serve `/metrics`. Other
//! listeners tell names, versions, connections and the broker's state.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use fanfare_core::NodeInfo;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;
use crate::{
    gateway::Gateway,
    http::endpoint::{Endpoint, Kind},
    roles::{Role, Roles},
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
    /// The figures of this node.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    figures: Option<NodeSnapshot>,
    nodes: Vec<NodeView>,
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
async fn cluster(State(gateway): State<Arc<Gateway>>, Extension(roles): Extension<Roles>) -> Response {
    let has_metrics = roles.has(Role::Metrics);
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
        figures: has_metrics.then(|| gateway.snapshots.take(&gateway.registry)),
        nodes: gateway.cluster.nodes().iter().map(view).collect(),
    })
    .into_response()
}
