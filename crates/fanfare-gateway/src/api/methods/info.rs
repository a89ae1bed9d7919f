//! `POST /api/info`: the nodes of the cluster, as the node that answers sees them.

use fanfare_core::NodeInfo;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{
        call::{Call, Method, endpoint},
        error::ApiError,
    },
    gateway::Gateway,
    http::endpoint::Endpoint,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = endpoint::<Info>(&["/api/info"]);

/// A call without fields.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Info {}

/// The nodes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InfoResult)]
pub(crate) struct Nodes {
    /// The nodes, by name.
    nodes: Vec<Node>,
}

/// A node.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Node {
    /// Its run: another one after each start.
    uid: String,
    /// Its name.
    name: String,
    /// Its release.
    version: String,
    /// Its open connections: of this moment for the node that answers, as last reported for the others.
    num_clients: u64,
    /// Whether it is being drained.
    leaving: bool,
    /// The seconds since its start: for the node that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime: Option<u64>,
}

impl Node {
    fn of(node: &NodeInfo, gateway: &Gateway) -> Self {
        let me = gateway.cluster.me();
        let is_me = node.incarnation == me.incarnation;
        let NodeInfo { incarnation, name, version, connections, leaving, .. } =
            if is_me { me } else { node.clone() };
        let uptime = is_me.then(|| gateway.history.started().elapsed().unwrap_or_default().as_secs());
        Self { uid: incarnation, name, version, num_clients: connections, leaving, uptime }
    }
}

impl Method for Info {
    const NAME: &'static str = "info";
    const SUMMARY: &'static str = "The nodes of the cluster";
    const TAKES: &'static str = "{}";
    type Result = Nodes;

    async fn call(self, call: &Call<'_>) -> Result<Nodes, ApiError> {
        let nodes = call.gateway.cluster.nodes();
        Ok(Nodes { nodes: nodes.iter().map(|node| Node::of(node, call.gateway)).collect() })
    }
}
