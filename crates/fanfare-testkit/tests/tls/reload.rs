//! Certificates change while a node runs: the real binary, its files, SIGHUP, and its own clients.

use std::fs;

use fanfare_testkit::{Authority, Client, Endpoint, Good, Issued, Process, assert_eventually};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::HOST;

const EXPIRY: &str = "fanfare_tls_certificate_expiry_timestamp_seconds{listener=\"clients\"}";
const RELOADED: &str = "fanfare_tls_last_reload_successful";

/// A node with a listener for clients that speaks TLS, and one for metrics that does not.
struct Node {
    process: Process,
    metrics: Endpoint,
    authority: Authority,
}

impl Node {
    async fn start() -> Self {
        let authority = Authority::new();
        let issued = authority.issue("server", &[HOST], Good::Now);
        let process = Process::serve(&["--listen", "127.0.0.1:0"], &toml(&issued)).await;
        let metrics = process.metrics_endpoint();
        metrics.is_ready().await;
        Self { process, metrics, authority }
    }

    async fn connect(&self) -> Client {
        let url = format!("wss://{HOST}:{}/chat", self.process.address().port());
        Client::connect_tls(&url, self.authority.client(None)).await
    }

    /// Returns once who connects sees this certificate.
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
async fn a_certificate_that_changes_is_for_who_connects_then_and_nobody_is_cut_off() {
    let node = Node::start().await;
    let mut stays = node.connect().await;
    let before = stays.certificate().unwrap();
    assert!(node.metrics.metric(EXPIRY).await > 2e9, "rcgen's certificates are good until 4096");
    // By its file.
    let issued = node.authority.issue("server", &[HOST], Good::Now);
    node.shows(&issued).await;
    node.process.logs("certificates reloaded").await;
    // By another file and SIGHUP.
    let other = node.authority.issue("other", &[HOST], Good::Now);
    node.process.reload_at(node.metrics, &toml(&other)).await;
    node.shows(&other).await;
    // And by that file.
    let other = node.authority.issue("other", &[HOST], Good::Now);
    node.shows(&other).await;
    stays.text("still here").await;
    stays.expect("still here").await;
    assert_eq!(stays.certificate().unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_broken_change_nothing_and_it_is_said_until_they_are_mended() {
    let node = Node::start().await;
    let certificate = node.connect().await.certificate();
    let issued = node.authority.issue("unused", &[HOST], Good::Now);
    let mended = node.authority.issue("server-2", &[HOST], Good::Now);
    let server = node.authority.ca().with_file_name("server.key");
    fs::copy(&issued.key, &server).unwrap();
    node.process.logs("certificates not reloaded").await;
    node.process.logs("it is not the key of the certificate").await;
    assert!(!node.process.log().contains("PRIVATE"));
    assert_eq!(node.connect().await.certificate(), certificate);
    assert_eventually!(node.metrics.metric(RELOADED).await < 1.0, "it is not successful");
    fs::copy(&mended.cert, server.with_file_name("server.crt")).unwrap();
    fs::copy(&mended.key, &server).unwrap();
    node.shows(&mended).await;
    assert_eventually!(node.metrics.metric(RELOADED).await > 0.0, "it is successful");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_top_ask_a_node_that_speaks_tls() {
    let authority = Authority::new();
    let issued = authority.issue("server", &[HOST], Good::Now);
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
    assert!(!is_ready && said.contains("--ca FILE"), "nobody vouches for it: {said}");
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
