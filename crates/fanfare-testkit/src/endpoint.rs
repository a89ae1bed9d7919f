//! The sockets of a node: requests, upgrades, metrics.

use std::{io, net::SocketAddr};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    assert_eventually,
    client::Client,
    metrics::Metrics,
    raw::{Answer, RawClient},
};

/// The API key of nodes in tests, unless [`Setup::without_key`](crate::Setup::without_key).
pub const KEY: &str = "key-of-the-tests-0123456789";

/// The address of a node.
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

    /// A free address of 127.0.0.1 that stays free while nobody listens at it: its port is below those that the kernel
    /// gives to connections.
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn lasting() -> Self {
        let ports = std::iter::repeat_with(|| rand::random_range(20_000..30_000)).take(1_000);
        let mut free = ports.filter_map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).ok());
        match free.find_map(|listener| listener.local_addr().ok()) {
            Some(address) => Self::new(address),
            None => panic!("no port is free"),
        }
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

    /// A TCP connection to the node.
    pub async fn raw(&self) -> RawClient {
        RawClient::connect(self.address).await
    }

    /// The answer to an upgrade on `path` with further headers.
    pub async fn upgrade(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.raw().await.upgrade(path, headers).await
    }

    /// The answer to a request on a connection of its own.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        self.raw().await.request(method, path, headers, body.as_ref()).await
    }

    /// The answer to `GET` without further headers.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "").await
    }

    /// The answer to `POST /api/publish` with [`KEY`] and this body.
    pub async fn post(&self, body: &Value) -> Answer {
        self.request("POST", "/api/publish", &[("X-API-Key", KEY)], body.to_string()).await
    }

    /// Publishes through the API.
    ///
    /// # Panics
    /// If the node does not take it.
    pub async fn publish(&self, channel: &str, data: impl Into<Value>) {
        let answer = self.post(&json!({"channel": channel, "data": data.into()})).await;
        assert_eq!(answer.status, 200, "publish through the API: {}", answer.text());
    }

    /// Waits until the node is ready.
    pub async fn is_ready(&self) {
        assert_eventually!(self.get("/readyz").await.status == 200, "the node at {} is ready", self.address);
    }

    /// Waits until the node is not ready.
    pub async fn is_unready(&self) {
        assert_eventually!(
            self.get("/readyz").await.status == 503,
            "the node at {} is not ready",
            self.address
        );
    }

    /// Waits until the node knows that its broker takes nothing. A node can be unready before that, if its other
    /// connection, for subscriptions, ended first.
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

    /// The sum of these series, see [`Metrics::sum`].
    pub async fn metric(&self, series: &str) -> f64 {
        self.metrics().await.sum(series)
    }

    /// The metrics of the node now.
    pub async fn metrics(&self) -> Metrics {
        Metrics::new(self.get("/metrics").await.text())
    }

    /// The metrics of the node now.
    ///
    /// # Errors
    /// The node does not answer.
    pub async fn try_metrics(&self) -> io::Result<Metrics> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(Metrics::new(answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned()))
    }

    /// Waits until the node lists these nodes, by name, with these numbers of connections.
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

    /// The node's list of nodes: names and connections, by name.
    pub async fn nodes(&self) -> Vec<(String, u64)> {
        let view = self.get("/api/cluster").await.json();
        let name = |node: &Value| node.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let connections = |node: &Value| node.get("connections").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let nodes = view.get("nodes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        nodes.iter().map(|node| (name(node), connections(node))).collect()
    }
}

/// An address of loopback whose port was free a moment ago.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()
}
