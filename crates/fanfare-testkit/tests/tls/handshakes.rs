//! Handshakes that fail cost only their clients, and are counted.

use fanfare_testkit::{Authority, Client, KEY, Setup, TestNode, Validity, assert_eventually};
use tokio_rustls::rustls::{CertificateError, Error as TlsError};
use tokio_tungstenite::tungstenite::Error;

use crate::{HOST, Secure};

async fn counts(secure: &Secure, result: &str, times: f64) {
    let series = format!("fanfare_tls_handshakes_total{{result=\"{result}\"}}");
    let mut counted;
    assert_eventually!(
        {
            counted = secure.metric(&series).await;
            counted >= times
        },
        "{times} handshakes are counted as {result}, not {counted}"
    );
}

/// The client's complaint about the server's certificate.
fn complaint(error: &Error) -> &CertificateError {
    let Error::Io(io) = error else { panic!("{error}") };
    match io.get_ref().and_then(|error| error.downcast_ref::<TlsError>()) {
        Some(TlsError::InvalidCertificate(complaint)) => complaint,
        _ => panic!("{io}"),
    }
}

async fn refused(node: &TestNode, authority: &Authority) -> Error {
    let url = format!("wss://{HOST}:{}/chat", node.address().port());
    match Client::try_connect_tls(&url, authority.client(None)).await {
        Ok(_) => panic!("a client took an invalid certificate"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn invalid_certificates_are_refused_and_counted() {
    let secure = Secure::start(Setup::memory()).await;
    let stranger = refused(&secure.node, &Authority::new()).await;
    assert!(matches!(complaint(&stranger), CertificateError::UnknownIssuer), "{stranger}");
    counts(&secure, "rejected", 1.0).await;
    for (hosts, is) in [(&[HOST][..], Validity::Expired), (&["other.example"][..], Validity::Current)] {
        let authority = &secure.authority;
        let issued = authority.issue("bad", hosts, is);
        let node = Setup::memory().toml("[tls]").toml(&issued.toml("cert", "key")).start_unready();
        let error = refused(&node, authority).await;
        let is_named = match (is, complaint(&error)) {
            (Validity::Expired, CertificateError::ExpiredContext { .. }) => true,
            (Validity::Current, CertificateError::NotValidForNameContext { presented, .. }) => {
                presented.iter().any(|name| name.contains("other.example"))
            }
            _ => false,
        };
        assert!(is_named, "{error}");
    }
}

#[tokio::test]
async fn failed_handshakes_are_counted_by_kind() {
    let secure = Secure::start(Setup::memory().toml("[limits]\nhandshake = \"500ms\"\n")).await;
    let mut plain = secure.node.raw().await;
    let answer = plain.request("GET", "/", &[], &[]).await;
    assert!(answer.status == 400 && answer.text().contains("https://"), "{}", answer.text());
    counts(&secure, "not_tls", 1.0).await;
    let mut slow = secure.node.raw().await;
    slow.send(&[22, 3, 1]).await;
    assert!(slow.end().await.is_empty());
    counts(&secure, "timeout", 1.0).await;
    // A ClientHello of one byte.
    let mut garbage = secure.node.raw().await;
    garbage.send(&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0]).await;
    let alert = garbage.end().await;
    assert_eq!(alert.first(), Some(&21), "an alert: {alert:?}");
    counts(&secure, "other", 1.0).await;
    let mut leaver = secure.node.raw().await;
    leaver.send(&[22, 3, 1]).await;
    leaver.finish().await;
    assert!(leaver.end().await.is_empty());
    counts(&secure, "ended", 1.0).await;
    secure.connect("/chat").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_handshakes_keep_nobody_out() {
    let secure = Secure::start(Setup::memory().toml("[limits]\nhandshake = \"1m\"\n")).await;
    let mut idlers = Vec::new();
    for _ in 0..300 {
        let mut idler = secure.node.raw().await;
        idler.send(&[22, 3, 1, 1, 0]).await;
        idlers.push(idler);
    }
    let mut client = secure.connect("/chat").await;
    client.text("hello").await;
    client.expect("hello").await;
}

#[tokio::test]
async fn a_proxy_header_comes_before_tls() {
    let proxies = "[proxies]\ntrusted = [\"127.0.0.1\"]\nprotocol = \"proxy\"\n\
                   [limits]\nconnections_per_address = 1\n";
    let authority = Authority::new();
    let issued = authority.issue("server", &[HOST], Validity::Current);
    let node = Setup::memory().toml(proxies).toml("[tls]").toml(&issued.toml("cert", "key")).start_unready();
    let mut held = Vec::new();
    for (address, status) in [("192.0.2.1", 101), ("192.0.2.2", 101), ("192.0.2.1", 429)] {
        let mut raw = node.raw().await;
        raw.send(format!("PROXY TCP4 {address} 192.0.2.9 1234 443\r\n").as_bytes()).await;
        let mut raw = raw.secure(&authority.connector(), HOST).await;
        assert_eq!(raw.upgrade("/chat", &[]).await.status, status, "{address}");
        held.push(raw);
    }
}

#[tokio::test]
async fn a_refusal_inside_tls_arrives() {
    let secure = Secure::start(Setup::memory()).await;
    let body = vec![b'x'; 5_000_000];
    for (key, status) in [("wrong-key-0123456789", 401), (KEY, 413)] {
        let mut client = secure.raw().await;
        let answer = client.request("POST", "/api/publish", &[("X-API-Key", key)], &body).await;
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")));
        assert!(client.good_end().await.unwrap().is_empty());
    }
    let mut plain = secure.node.raw().await;
    plain.request("POST", "/api/publish", &[], &body).await.is(400, "https://");
    assert!(plain.good_end().await.unwrap().is_empty());
}
