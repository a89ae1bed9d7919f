//! TLS on the node's own listeners, with real clients and certificates that are made here.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says by a panic what is wrong"
)]

mod clients;
mod drips;
mod handshakes;
mod mutual;
mod reload;
mod slow;

use std::sync::Arc;

use fanfare_testkit::{Authority, Client, Good, RawClient, Setup, TestNode};
use tokio_rustls::{TlsConnector, rustls::ClientConfig};

/// The name that certificates of these tests are for.
const HOST: &str = "localhost";

/// A node that speaks TLS, and who trusts it.
struct Secure {
    node: TestNode,
    authority: Authority,
    tls: Arc<ClientConfig>,
}

impl Secure {
    async fn start(setup: Setup) -> Self {
        Self::start_with(setup, "").await
    }

    /// With this at the end of its configuration.
    async fn start_with(setup: Setup, toml: &str) -> Self {
        let authority = Authority::new();
        let issued = authority.issue("server", &[HOST], Good::Now);
        let node = setup.toml("[tls]").toml(&issued.toml("cert", "key")).toml(toml).start_unready();
        let secure = Self { node, tls: authority.client(None), authority };
        // The memory broker is there at once.
        assert_eq!(secure.raw().await.request("GET", "/readyz", &[], &[]).await.status, 200);
        secure
    }

    fn url(&self, path: &str) -> String {
        format!("wss://{HOST}:{}{path}", self.node.address().port())
    }

    async fn connect(&self, path: &str) -> Client {
        Client::connect_tls(&self.url(path), self.tls.clone()).await
    }

    async fn raw(&self) -> RawClient {
        self.node.raw().await.secure(&TlsConnector::from(self.tls.clone()), HOST).await
    }

    /// What it counts of these series.
    async fn metric(&self, series: &str) -> f64 {
        let answer = self.raw().await.request("GET", "/metrics", &[], &[]).await;
        fanfare_testkit::Metrics::new(answer.text()).sum(series)
    }
}
