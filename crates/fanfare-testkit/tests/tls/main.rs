//! TLS on the node's own listeners, with real clients and generated certificates.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

mod clients;
mod drips;
mod handshakes;
mod mutual;
mod reload;
mod slow;

use std::sync::Arc;

use fanfare_testkit::{Authority, Client, RawClient, Setup, TestNode, Validity};
use tokio_rustls::{TlsConnector, rustls::ClientConfig};

/// The host name in the certificates of these tests.
const HOST: &str = "localhost";

/// A node with TLS, and the authority that its clients trust.
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
        let issued = authority.issue("server", &[HOST], Validity::Current);
        let node = setup.toml("[tls]").toml(&issued.toml("cert", "key")).toml(toml).start_unready();
        let secure = Self { node, tls: authority.client(None), authority };
        // The memory broker is ready at once.
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

    /// The sum of these series.
    async fn metric(&self, series: &str) -> f64 {
        let answer = self.raw().await.request("GET", "/metrics", &[], &[]).await;
        fanfare_testkit::Metrics::new(answer.text()).sum(series)
    }
}
