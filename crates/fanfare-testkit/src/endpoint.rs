//! What can be asked of a node over its sockets.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::{Answer, Client, KEY, Metrics, RawClient, assert_eventually};

/// Where a node listens.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    address: SocketAddr,
}

impl Endpoint {
    /// A node that listens at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://address`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `ws://address` and the path.
    #[must_use]
    pub fn ws(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// A WebSocket client on this path, with its 101.
    pub async fn connect(&self, path: &str) -> Client {
        Client::connect(&self.ws(path)).await
    }

    /// A TCP connection to it.
    pub async fn raw(&self) -> RawClient {
        RawClient::connect(self.address).await
    }

    /// What it answers to an upgrade on `path` with further headers.
    pub async fn upgrade(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.raw().await.upgrade(path, headers).await
    }

    /// One request on a connection of its own.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        self.raw().await.request(method, path, headers, body.as_ref()).await
    }

    /// `GET` without further headers.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "").await
    }

    /// `POST /api/publish` with [`KEY`] and this body.
    pub async fn post(&self, body: &Value) -> Answer {
        self.request("POST", "/api/publish", &[("X-API-Key", KEY)], body.to_string()).await
    }

    /// Publishes through the API.
    ///
    /// # Panics
    /// Where it is not taken.
    pub async fn publish(&self, channel: &str, data: impl Into<Value>) {
        let answer = self.post(&json!({"channel": channel, "data": data.into()})).await;
        assert_eq!(answer.status, 200, "publish through the API: {}", answer.text());
    }

    /// Returns once it is ready.
    pub async fn is_ready(&self) {
        assert_eventually!(self.get("/readyz").await.status == 200, "the node at {} is ready", self.address);
    }

    /// Returns once it is not ready.
    pub async fn is_unready(&self) {
        assert_eventually!(
            self.get("/readyz").await.status == 503,
            "the node at {} is not ready",
            self.address
        );
    }

    /// Waits until it knows that its broker takes nothing. Not being ready is less: the other connection, on which it
    /// hears, may have ended first.
    pub async fn is_away_from_its_broker(&self) {
        let is_away = |checks: &serde_json::Value| {
            let mut checks = checks.as_array().into_iter().flatten();
            checks.any(|check| check["name"] == "broker" && check["state"] == "away")
        };
        assert_eventually!(
            self.get("/readyz").await.json().get("checks").is_some_and(is_away),
            "the node at {} is away from its broker",
            self.address
        );
    }

    /// What it counts of these series, see [`Metrics::sum`].
    pub async fn metric(&self, series: &str) -> f64 {
        self.metrics().await.sum(series)
    }

    /// All that it counts now.
    pub async fn metrics(&self) -> Metrics {
        Metrics::new(self.get("/metrics").await.text())
    }

    /// Returns once it sees these nodes, by name, with so many connections.
    pub async fn sees(&self, nodes: &[(&str, u64)]) {
        let mut seen;
        assert_eventually!(
            {
                seen = self.nodes().await;
                seen.iter().map(|(name, connections)| (name.as_str(), *connections)).eq(nodes.iter().copied())
            },
            "the node at {} sees {nodes:?}, not {seen:?}",
            self.address
        );
    }

    /// The cluster as it sees it: names and connections, by name.
    pub async fn nodes(&self) -> Vec<(String, u64)> {
        let view = self.get("/api/cluster").await.json();
        let name = |node: &Value| node.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let connections = |node: &Value| node.get("connections").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let nodes = view.get("nodes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        nodes.iter().map(|node| (name(node), connections(node))).collect()
    }
}
