//! Certificates change while a node runs: the real binary, its files, SIGHUP, and its own clients.

use std::fs;

use fanfare_testkit::{Authority, Client, Endpoint, Issued, Process, Validity, assert_eventually};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::HOST;

const EXPIRY: &str = "fanfare_tls_certificate_expiry_timestamp_seconds{listener=\"clients\"}";
const RELOADED: &str = "fanfare_tls_last_reload_successful";

/// A node with a TLS listener for clients, and a plain listener for metrics.
struct Node {
    process: Process,
    metrics: Endpoint,
    authority: Authority,
}

impl Node {
    async fn start() -> Self {
        let authority = Authority::new();
        let issued = authority.issue("server", &[HOST], Validity::Current);
        let process = Process::serve(&["--listen", "127.0.0.1:0"], &toml(&issued)).await;
        let metrics = process.metrics_endpoint();
        metrics.is_ready().await;
        Self { process, metrics, authority }
    }

    async fn connect(&self) -> Client {
        let url = format!("wss://{HOST}:{}/chat", self.process.address().port());
        Client::connect_tls(&url, self.authority.client(None)).await
    }

    /// Waits until new connections get this certificate.
    async fn shows(&self, issued: &Issued) {
        let expected = CertificateDer::from_pem_file(&issued.cert).unwrap();
        assert_eventually!(
            self.connect().await.certificate().as_ref() == Some(&expected),
            "the new certificate is shown: {}",
            self.process.log()
        );
    }
}

fn toml(issued: &Issued) -> String {
    format!("[metrics]\nlisten = [\"127.0.0.1:0\"]\n[tls]\n{}", issued.toml("cert", "key"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_for_new_connections() {
    let node = Node::start().await;
    let mut stays = node.connect().await;
    let before = stays.certificate().unwrap();
    assert!(node.metrics.metric(EXPIRY).await > 2e9, "certificates of rcgen are valid until 4096");
    // By its file.
    let issued = node.authority.issue("server", &[HOST], Validity::Current);
    node.shows(&issued).await;
    node.process.logs("certificates reloaded").await;
    // By another file and SIGHUP.
    let other = node.authority.issue("other", &[HOST], Validity::Current);
    node.process.reload_at(node.metrics, &toml(&other)).await;
    node.shows(&other).await;
    // And by that file.
    let other = node.authority.issue("other", &[HOST], Validity::Current);
    node.shows(&other).await;
    stays.text("still here").await;
    stays.expect("still here").await;
    assert_eq!(stays.certificate().unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_files_change_nothing() {
    let node = Node::start().await;
    let certificate = node.connect().await.certificate();
    let issued = node.authority.issue("unused", &[HOST], Validity::Current);
    let mended = node.authority.issue("server-2", &[HOST], Validity::Current);
    let server = node.authority.ca().with_file_name("server.key");
    fs::copy(&issued.key, &server).unwrap();
    node.process.logs("certificates not reloaded").await;
    node.process.logs("it is not the key of the certificate").await;
    assert!(!node.process.log().contains("PRIVATE"));
    assert_eq!(node.connect().await.certificate(), certificate);
    assert_eventually!(node.metrics.metric(RELOADED).await < 1.0, "the reload has failed");
    fs::copy(&mended.cert, server.with_file_name("server.crt")).unwrap();
    fs::copy(&mended.key, &server).unwrap();
    node.shows(&mended).await;
    assert_eventually!(node.metrics.metric(RELOADED).await > 0.0, "the reload has succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_top_ask_a_tls_node() {
    let authority = Authority::new();
    let issued = authority.issue("server", &[HOST], Validity::Current);
    let toml = format!("[tls]\n{}", issued.toml("cert", "key"));
    let node = Process::serve(&["--listen", "127.0.0.1:0", "--node", "secure"], &toml).await;
    let port = node.address().port();
    let toml = format!("listen = [\"127.0.0.1:{port}\"]\n{toml}");
    let asks = async |words: &[&str], toml: &str| {
        let output = Process::once(words, toml, &[]).await;
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        (output.status.success(), said.concat())
    };
    let (is_ready, said) = asks(&["health"], &toml).await;
    assert!(
        is_ready && said.contains("secure is ready"),
        "its own node's certificate is for another name: {said}"
    );
    let (knows, said) = asks(&["top"], &toml).await;
    assert!(knows && said.contains("secure"), "{said}");
    let (url, ca) = (format!("https://{HOST}:{port}"), authority.ca().display().to_string());
    let (is_ready, said) = asks(&["health", &url], "").await;
    assert!(!is_ready && said.contains("--ca FILE"), "the certificate is not trusted: {said}");
    for words in [&["health", &url, "--ca", &ca][..], &["health", &url, "--insecure"]] {
        assert!(asks(words, "").await.0, "{words:?}");
    }
    let (is_ready, said) = asks(&["health", &format!("http://{HOST}:{port}")], "").await;
    assert!(!is_ready && said.contains("this port speaks TLS"), "{said}");
    let (authority, issued) = Authority::self_signed(&[HOST]);
    let toml = format!("[tls]\n{}", issued.toml("cert", "key"));
    let node = Process::serve(&["--listen", "127.0.0.1:0", "--node", "alone"], &toml).await;
    let url = format!("https://{HOST}:{}", node.address().port());
    let (is_ready, said) = asks(&["health", &url, "--ca", &authority.ca().display().to_string()], "").await;
    assert!(!is_ready && said.contains("basicConstraints=critical,CA:FALSE"), "{said}");
}
